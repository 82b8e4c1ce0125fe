package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"goldm/internal/cli"
	"goldm/internal/xauth"
	"goldm/session/xproxy"
)

// showX11 is the far half of the X11 accelerator, which a client starts on a channel of its own.
func showX11(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("x11 takes no operands")
	}
	stdio, err := newStdio()
	if err != nil {
		return err
	}
	offer, err := xproxy.Await(stdio)
	if err != nil {
		return err
	}
	display, authority, err := openDisplay(offer)
	if err != nil {
		return errors.Join(err, xproxy.Answer(stdio, xproxy.Place{Error: err.Error()}))
	}
	defer os.RemoveAll(filepath.Dir(authority))
	defer display.Close()
	if err := xproxy.Answer(stdio, xproxy.Place{Display: display.Name(), Authority: authority}); err != nil {
		return err
	}
	return xproxy.Far(ctx, stdio, xproxy.FarConfig{
		Listener: display,
		Offer:    offer,
		Log:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}

// openDisplay takes a display number and writes the cookie into a file of the session's, in
// a folder of its own.
func openDisplay(offer xproxy.Offer) (display *xproxy.Display, authority string, err error) {
	folder, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "ltsp-x11-")
	if err != nil {
		return nil, "", fmt.Errorf("folder for the cookie: %w", err)
	}
	authority = filepath.Join(folder, "Xauthority")
	if err = writeCookie(authority, offer.Cookie); err == nil {
		display, err = xproxy.Listen()
	}
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(folder))
	}
	return display, authority, nil
}

func writeCookie(name string, cookie []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	entry := xauth.Entry{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: cookie}
	return errors.Join(xauth.Write(file, []xauth.Entry{entry}), file.Close())
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
