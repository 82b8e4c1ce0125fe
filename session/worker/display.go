package worker

import (
	"context"

	"goldm/internal/xauth"
	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/x11"
)

// show lets the desktop reach the seat's display, in the way that ldm says.
func show(ctx context.Context, client *session.Client, login *wire.Login) (*session.Shown, error) {
	display, err := x11.ParseDisplay(login.Display)
	if err != nil {
		return nil, err
	}
	display.AuthName, display.AuthData = xauth.MITMagicCookie, login.Cookie
	return client.Show(ctx, display, login.X11)
}
