package byhand

import (
	"context"
	"maps"
	"sync"

	"goldm/session"
	"goldm/session/sound"
)

// offer is what programs on the server have of this computer.
type offer struct {
	client *session.Client
	sound  *sound.Sound
	apps   *apps
	shown  *session.Shown // nil where that failed
	end    sync.Once
}

// offer makes the offer over a connection, which is closed with it, or where it fails.
func (r *run) offer(ctx context.Context, client *session.Client) (*offer, error) {
	o := &offer{client: client, sound: r.startSound(ctx, client), apps: r.startApps(ctx)}
	var err error
	if o.shown, err = client.Show(ctx, r.display, r.x11); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// env returns the variables by which programs on the server find it.
func (o *offer) env() map[string]string {
	env := make(map[string]string)
	for _, more := range []map[string]string{o.sound.Env(), o.apps.env(), o.shown.Env()} {
		maps.Copy(env, more)
	}
	return env
}

// close takes away what lies on the server while the connection still stands, closes
// that, and ends the rest. It may be called more than once.
func (o *offer) close() {
	o.end.Do(func() {
		if o.shown != nil {
			o.shown.Remove()
		}
		o.sound.Remove()
		o.client.Close()
		o.apps.close()
		o.sound.Close()
	})
}
