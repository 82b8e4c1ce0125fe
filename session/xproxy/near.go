package xproxy

import (
	"context"
	"errors"
	"io"
	"sync"

	"goldm/session/xproxy/mux"
)

// Near is the near half, on the client. It returns when the connection has ended or ctx
// is done, and closes rw. Each program's connection is given to serve, such as a Forwarder's Serve of
// session/x11, which closes it. The error is nil where the far half closed.
func Near(ctx context.Context, rw io.ReadWriteCloser, serve func(context.Context, io.ReadWriteCloser)) error {
	conn, err := mux.New(rw, true)
	if err != nil {
		rw.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer conn.Close()
	defer cancel()
	for {
		stream, err := conn.Accept(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		serving.Go(func() { serve(ctx, stream) })
	}
}

// ended leaves out what is no failure.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
