package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"goldm/internal/cli"
	"goldm/internal/heap"
	"goldm/internal/logs"
	"goldm/server-agent/display"
	"goldm/server-agent/sessions"
	"goldm/session/xproxy"
)

// showX11 is the far half of the X11 accelerator, which a client starts on a channel of its own.
func showX11(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("x11 takes no operands")
	}
	name(sessions.Wrapper)
	heap.Tend() // there is one of us for each session
	// Else a client that has gone would end us before our files are removed: os/signal, SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)
	stdio, err := newStdio()
	if err != nil {
		return err
	}
	offer, err := await(ctx, stdio)
	if err != nil {
		return err
	}
	log, closeLog := logs.Open(os.Stderr, slog.LevelInfo)
	defer closeLog()
	log = log.With("login", os.Getenv("USER"))
	d, err := display.Open(offer.Cookie, log)
	if err != nil {
		return errors.Join(err, xproxy.Answer(stdio, xproxy.Place{Error: err.Error()}))
	}
	defer d.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.Follow(cancel)
	if err := xproxy.Answer(stdio, xproxy.Place{Display: d.Name(), Authority: d.Authority()}); err != nil {
		return err
	}
	return xproxy.Far(ctx, stdio, xproxy.FarConfig{Listener: d, Offer: offer, Log: log})
}

// await is xproxy.Await until ctx is done: a client that says nothing keeps nobody from ending us.
func await(ctx context.Context, client io.ReadWriteCloser) (xproxy.Offer, error) {
	stop := context.AfterFunc(ctx, func() { client.Close() })
	offer, err := xproxy.Await(client)
	if !stop() {
		return xproxy.Offer{}, ctx.Err()
	}
	return offer, err
}

// stdio is standard input and output as one connection. Close ends a Read that waits.
type stdio struct {
	io.Reader
	io.Writer
	close func() error
}

func (s *stdio) Close() error { return s.close() }

func newStdio() (*stdio, error) {
	var files [2]*os.File
	for fd := range files {
		// A file that can be waited for: os.Stdin of a pipe cannot be closed while it is read.
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, fmt.Errorf("standard streams: %w", err)
		}
		files[fd] = os.NewFile(uintptr(fd), "client")
	}
	return &stdio{
		Reader: files[0],
		Writer: files[1],
		close:  func() error { return errors.Join(files[0].Close(), files[1].Close()) },
	}, nil
}
