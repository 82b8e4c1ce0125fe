package worker

import (
	"context"

	"goldm/internal/xauth"
	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/x11"
)

// show lets the desktop reach the session's X server.
func show(ctx context.Context, stage *session.Stage, screen *wire.Screen) (*session.Shown, error) {
	display, err := x11.ParseDisplay(screen.Display)
	if err != nil {
		return nil, err
	}
	display.AuthName, display.AuthData = xauth.MITMagicCookie, screen.Cookie
	return stage.Show(ctx, display)
}
