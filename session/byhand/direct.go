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
	env       map[string]string      // what leads to it otherwise
}

// show lets programs on the server reach the display, where forwarding is not to do it. A
// server without an accelerator gets forwarding.
func (r *run) show(ctx context.Context, client *session.Client) (shown, error) {
	if r.accelerate && r.display != nil {
		env, err := client.Accelerate(ctx, r.display)
		if err == nil {
			return shown{env: env}, nil
		}
		r.log.Warn("no accelerator: windows are forwarded without", "err", err)
	}
	if !r.direct || r.display == nil {
		return shown{forwarded: r.display}, nil
	}
	direct, err := client.ShowDirectly(ctx, r.display)
	return shown{direct: direct}, err
}

// with adds to an environment what leads to a display that is not forwarded.
func (s shown) with(env map[string]string) map[string]string {
	more := maps.Clone(s.env)
	switch {
	case s.direct != nil:
		more = map[string]string{"DISPLAY": s.direct.Name}
	case more == nil:
		return env
	}
	maps.Copy(more, env)
	return more
}

// remove takes away from the server what it was given for that.
func (s shown) remove() {
	if s.direct != nil {
		s.direct.Remove()
	}
}
