package worker

import (
	"context"

	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/sound"
)

// startSound offers the client's sound to the session, if it has one.
func (w *worker) startSound(ctx context.Context, client *session.Client, from *wire.Sound) *sound.Sound {
	if from == nil {
		return nil
	}
	return sound.Start(ctx, client, sound.Daemon{Socket: from.Socket, Cookie: from.Cookie}, w.log)
}
