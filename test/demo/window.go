package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"goldm/internal/xauth"
	"goldm/session/x11"
)

const (
	// outerDisplay is the person's display as the client sees it.
	outerDisplay = ":99"
	outerSocket  = "/tmp/.X11-unix/X99"
	outerCookie  = "/etc/goldm-demo.cookie"

	// windowServer is the client's X server: Xephyr, told where to show itself,
	// which ldm does not tell its X server.
	windowServer = "/usr/local/sbin/goldm-demo-xephyr"
	windowScript = "#!/bin/sh\nDISPLAY=" + outerDisplay + " XAUTHORITY=" + outerCookie +
		` exec Xephyr -screen 1280x800 -title "goldm: a thin client" "$@"` + "\n"
)

// showWindow shows the client in a window of a display until it is closed, or
// the demo is told to stop.
func showWindow(ctx context.Context, bin, display string) error {
	outer, err := x11.ParseDisplay(display)
	if err != nil {
		return err
	}
	if err := outer.Authorize(ctx, authorityFile()); err != nil {
		return err
	}
	conn, err := outer.Dial(ctx)
	if err != nil {
		return fmt.Errorf("%w\nmake demo DISPLAY= shows the demo in pictures instead", err)
	}
	conn.Close()
	s, err := newStage(ctx, bin)
	if err != nil {
		return err
	}
	defer s.Close()
	proxy, err := newProxy(ctx, s, outer)
	if err != nil {
		return err
	}
	defer proxy.Close()
	seat, err := s.start(ctx, windowServer)
	if err != nil {
		return err
	}
	fmt.Printf("\nThe window is a thin client. Log in as\n\n    user name  %s\n    password   %s\n\nCtrl-C here ends the demo.\n", userName, password)
	<-seat.Done()
	if ctx.Err() != nil {
		return nil // it was asked to stop
	}
	os.Stderr.Write(s.log.bytes())
	return context.Cause(seat)
}

// authorityFile is where X clients find their cookies: Xsecurity(7).
func authorityFile() string {
	if file := os.Getenv("XAUTHORITY"); file != "" {
		return file
	}
	return filepath.Join(os.Getenv("HOME"), ".Xauthority")
}

// proxy lets the client's X server show its window on the person's display,
// with a cookie of its own and without shared memory, which does not reach
// across machines.
type proxy struct {
	listener net.Listener
	forward  *x11.Forwarder
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func newProxy(ctx context.Context, s *stage, outer *x11.Display) (*proxy, error) {
	forward, err := x11.NewForwarder(x11.Config{Display: outer, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := installWindowServer(ctx, s, forward); err != nil {
		return nil, err
	}
	listener, err := s.Client.Listen(ctx, "unix", outerSocket)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &proxy{listener: listener, forward: forward, cancel: cancel}
	p.running.Go(func() { p.serve(ctx) })
	return p, nil
}

// installWindowServer writes the X server's script and the cookie that it shows.
func installWindowServer(ctx context.Context, s *stage, forward *x11.Forwarder) error {
	name, cookie, _ := forward.Request()
	data, err := hex.DecodeString(cookie)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := xauth.Write(&file, []xauth.Entry{{Family: xauth.Wild, Name: name, Data: data}}); err != nil {
		return err
	}
	if err := s.Client.WriteFile(outerCookie, file.Bytes(), 0o400); err != nil {
		return err
	}
	if _, err := s.Client.Output(ctx, "chown", "_ldm-x:", outerCookie); err != nil {
		return err
	}
	return s.Client.WriteFile(windowServer, []byte(windowScript), 0o755)
}

func (p *proxy) serve(ctx context.Context) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.forward.Serve(ctx, conn) })
	}
}

// Close closes all connections and waits.
func (p *proxy) Close() {
	p.listener.Close()
	p.cancel()
	p.forward.Close()
	p.running.Wait()
}
