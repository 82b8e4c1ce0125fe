package xproxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"goldm/session/xproxy/mux"
)

// NearConfig says what a near half does.
type NearConfig struct {
	// Serve gets each program's connection, and closes it; such as a Forwarder's of
	// session/x11.
	Serve func(context.Context, io.ReadWriteCloser)

	// Dial connects to the same X server, which wants to see this name and data. The near half
	// hears there of what changes. Nil where nothing is to be answered by the far half.
	Dial     func(context.Context) (io.ReadWriteCloser, error)
	AuthName string
	AuthData []byte

	Log *slog.Logger
}

// Near is the near half, on the client. It returns when the connection has ended or ctx
// is done, and closes rw. The error is nil where the far half closed.
func Near(ctx context.Context, rw io.ReadWriteCloser, config NearConfig) error {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	w := newWatch()
	conn, err := mux.New(rw, mux.Config{Accept: true, Notice: func(p []byte, _ uint64) { w.take(p) }, Fence: w.fence})
	if err != nil {
		rw.Close()
		return err
	}
	defer conn.Close()
	defer w.close()
	if config.Dial != nil {
		tasks.Go(func() {
			if err := w.run(ctx, config, conn.Wake); err != nil && ctx.Err() == nil {
				config.Log.Info("X11: changes are not told to the other side", "err", err)
			}
		})
	}
	for {
		stream, err := conn.Accept(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		tasks.Go(func() { config.Serve(ctx, stream) })
	}
}

// ended leaves out what is no failure.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
