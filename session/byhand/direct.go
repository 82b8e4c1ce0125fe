package byhand

import (
	"context"
	"maps"

	"goldm/session"
	"goldm/session/x11"
)

// shown is how programs on the server reach the display.
type shown struct {
	forwarded *x11.Display           // by the connection; nil for not at all or directly
	direct    *session.DirectDisplay // nil for not
}

// show lets programs on the server reach the display, where that is to be direct.
func (r *run) show(ctx context.Context, client *session.Client) (shown, error) {
	if !r.direct || r.display == nil {
		return shown{forwarded: r.display}, nil
	}
	direct, err := client.ShowDirectly(ctx, r.display)
	return shown{direct: direct}, err
}

// with adds to an environment what leads to a display that is reached directly.
func (s shown) with(env map[string]string) map[string]string {
	if s.direct == nil {
		return env
	}
	more := map[string]string{"DISPLAY": s.direct.Name}
	maps.Copy(more, env)
	return more
}

// remove takes away from the server what it was given for that.
func (s shown) remove() {
	if s.direct != nil {
		s.direct.Remove()
	}
}
