package xconn_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"goldm/internal/x11"
	"goldm/internal/x11/display"
	"goldm/internal/x11/xconn"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

func displayOf(x *xtest.Server) *display.Display {
	return &display.Display{Number: x.Number, AuthName: xauth.MITMagicCookie, AuthData: x.Cookie}
}

// The cookie is the display's, whatever the environment says.
func TestOpen(t *testing.T) {
	x := xtest.Start(t)
	t.Setenv("XAUTHORITY", filepath.Join(t.TempDir(), "none"))
	t.Setenv("DISPLAY", ":4711")
	conn, err := xconn.Open(t.Context(), displayOf(x))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn.Events(func(xgb.Event) {})
	}()
	atoms, err := conn.Atoms("PRIMARY", "WM_NAME", "_NOT_THERE_YET")
	if err != nil || atoms[0] != xproto.AtomPrimary || atoms[1] != xproto.AtomWmName || atoms[2] == 0 {
		t.Errorf("%v, %v", atoms, err)
	}
	if _, err := xproto.GetGeometry(conn.Conn, xproto.Drawable(conn.Root)).Reply(); err != nil {
		t.Errorf("root window: %v", err)
	}
	conn.Close()
	<-ended
	if _, err := conn.Atoms("PRIMARY"); !errors.Is(err, xconn.ErrLost) {
		t.Errorf("after the end: %v", err)
	}
}

func TestRefused(t *testing.T) {
	x := xtest.Start(t)
	wrong, screen := displayOf(x), displayOf(x)
	wrong.AuthData = xauth.NewCookie()
	screen.Screen = 7
	for want, d := range map[string]*display.Display{
		"the display refused us":  wrong,
		"there is no screen 7":    screen,
		"no such file":            {Path: filepath.Join(t.TempDir(), "X")},
		"refused us: " + longWord: {Path: refuser(t)},
	} {
		conn, err := xconn.Open(t.Context(), d)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), d.String()) {
			t.Errorf("%s: %v, %v", want, conn, err)
		}
	}
}

var longWord = strings.Repeat("x", 250)

// refuser is a display that refuses at length.
func refuser(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "X")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := x11.ReadSetupRequest(conn, 100); err != nil {
			return
		}
		conn.Write(append([]byte{0, 250, 11, 0, 0, 0, 63, 0}, longWord+"\x00\x00"...))
	}()
	return path
}

// A display that says nothing holds nobody up.
func TestSilentDisplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "X")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if conn, err := xconn.Open(ctx, &display.Display{Path: path}); err == nil {
		t.Errorf("%v", conn)
	}
}
