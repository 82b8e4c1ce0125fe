package worker

import (
	"context"

	"goldm/internal/xauth"
	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/x11"
)

// shown is how the desktop reaches the seat's display.
type shown struct {
	forwarded *x11.Display      // by the connection; nil where it does so directly
	env       map[string]string // what leads to it then
}

// show lets the desktop reach the display, over TCP where ldm says so. What the
// server is given for that is worthless with the X server's end, which is the
// session's.
func show(ctx context.Context, client *session.Client, login *wire.Login) (shown, error) {
	display, err := x11.ParseDisplay(login.Display)
	if err != nil {
		return shown{}, err
	}
	display.AuthName, display.AuthData = xauth.MITMagicCookie, login.Cookie
	if !login.Direct {
		return shown{forwarded: display}, nil
	}
	direct, err := client.ShowDirectly(ctx, display)
	if err != nil {
		return shown{}, err
	}
	return shown{env: map[string]string{"DISPLAY": direct.Name}}, nil
}
