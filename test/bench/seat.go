package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"goldm/internal/testbed"
	"goldm/internal/x11"
	"goldm/internal/xauth"
	"goldm/ldm/greetd"
	"goldm/test/bench/xclient"
)

// seat is ldm on the client, with a login screen that is us.
type seat struct {
	*lab
	ldm      *testbed.Cmd
	log      complaints
	greeters net.Listener // where the login screens wait for their end
}

// greeterAddress is where a login screen waits for its end: one that stays would
// hold up the session, and a real one ends by itself.
const greeterAddress = "127.0.0.1:7777"

// runGreeter is a login screen that shows nothing.
func runGreeter(ctx context.Context, _ []string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", greeterAddress)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = conn.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (l *lab) startSeat(ctx context.Context) (*seat, error) {
	config := "[clients]\nLDM_SERVER=server\nSOUND=False\nXSERVER=\"Xvfb -screen 0 1280x800x24\"\nLDM_GREETER=\"/usr/local/bin/goldm-bench greeter\"\n"
	if err := l.Client.WriteFile("/etc/ltsp/ltsp.conf", []byte(config), 0o644); err != nil {
		return nil, err
	}
	s := &seat{lab: l}
	var err error
	if s.greeters, err = l.Client.Listen(ctx, "tcp", greeterAddress); err != nil {
		return nil, err
	}
	s.ldm = l.Client.Command(context.WithoutCancel(ctx), "root", "ldm")
	s.ldm.Stderr = &s.log
	return s, s.ldm.Start()
}

// Close ends ldm in order.
func (s *seat) Close() {
	s.ldm.Process.Signal(syscall.SIGTERM)
	s.ldm.Wait() // its end is all that matters
	s.greeters.Close()
}

// login logs in and returns when the password was entered, with the session's display, which
// is watched.
func (s *seat) login(ctx context.Context, session ...string) (entered time.Time, display *xclient.Conn, err error) {
	entered, old, err := s.authenticate(ctx, session)
	if err != nil {
		return entered, nil, err
	}
	var watching error
	err = until(ctx, "the session's X server is up", func() bool {
		if now := s.xServer(); now == 0 || now == old {
			return false
		}
		display, watching = s.watch(ctx)
		return watching == nil
	})
	if err != nil {
		return entered, nil, errors.Join(err, watching)
	}
	return entered, display, nil
}

// authenticate logs in, and returns when the password was entered, and the login screen's X server.
func (s *seat) authenticate(ctx context.Context, session []string) (entered time.Time, x int, err error) {
	screen, err := s.greeters.Accept()
	if err != nil {
		return entered, 0, err
	}
	defer screen.Close()
	x = s.xServer()
	conn, err := s.dialGreetd(ctx)
	if err != nil {
		return entered, 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * limit)); err != nil {
		return entered, 0, err
	}
	secret := password
	var request greetd.Request = &greetd.CreateSession{Username: serverUser}
	for {
		if err := greetd.WriteRequest(conn, request); err != nil {
			return entered, 0, err
		}
		response, err := greetd.ReadResponse(conn)
		if err != nil {
			return entered, 0, err
		}
		switch r := response.(type) {
		case *greetd.AuthMessage:
			request = &greetd.PostResponse{}
			if r.Type == greetd.Secret {
				request, entered = &greetd.PostResponse{Response: &secret}, time.Now()
			}
		case *greetd.Success:
			if _, started := request.(*greetd.StartSession); started {
				return entered, x, nil
			}
			request = &greetd.StartSession{Cmd: session}
		default:
			return entered, 0, fmt.Errorf("login: %+v: %s", response, s.log.said.String())
		}
	}
}

// dialGreetd connects to the seat's socket, once it is there.
func (s *seat) dialGreetd(ctx context.Context) (conn net.Conn, err error) {
	greeter, err := s.Client.Output(ctx, "id", "-u", "_ldm-greeter")
	if err != nil {
		return nil, err
	}
	var uid int
	if _, err := fmt.Sscan(greeter, &uid); err != nil {
		return nil, err
	}
	wait := until(ctx, "ldm is ready for a login", func() bool {
		conn, err = s.Client.DialAs(ctx, uid, uid, "unix", "/run/ldm/seat0/greetd.sock")
		return err == nil
	})
	return conn, errors.Join(wait, err)
}

// watch connects to the seat's display, to see what appears there.
func (s *seat) watch(ctx context.Context) (*xclient.Conn, error) {
	number := ""
	err := until(ctx, "the seat's display is up", func() bool {
		sockets, err := s.Client.ReadDir("/tmp/.X11-unix")
		number = seatDisplay(sockets)
		return err == nil && number != ""
	})
	if err != nil {
		return nil, err
	}
	data, err := s.Client.ReadFile("/run/ldm/seat0/xserver.auth")
	if err != nil {
		return nil, err
	}
	entries, err := readAuthority(data)
	if err != nil || len(entries) == 0 {
		return nil, fmt.Errorf("no cookie for the seat's display: %w", err)
	}
	conn, err := s.Client.Dial(ctx, "unix", "/tmp/.X11-unix/X"+number)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * limit)); err != nil {
		return nil, err
	}
	c, err := xclient.New(conn, entries[0].Name, entries[0].Data)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(c.Listen(c.Root, xclient.SubstructureNotifyMask), c.RoundTrip())
}

// seatDisplay is the number of the display that is not ours.
func seatDisplay(sockets []fs.DirEntry) string {
	for _, s := range sockets {
		if number := strings.TrimPrefix(s.Name(), "X"); ":"+number != display {
			return number
		}
	}
	return ""
}

// readAuthority reads the text of an Xauthority file.
func readAuthority(data []byte) ([]xauth.Entry, error) {
	f, err := os.CreateTemp("", "goldm-bench-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return xauth.ReadFile(f.Name())
}

// mapped waits for a window.
func mapped(c *xclient.Conn) (time.Time, error) {
	for {
		event, err := c.Event()
		if err != nil || x11.Kind(event) == xclient.MapNotify {
			return time.Now(), err
		}
	}
}
