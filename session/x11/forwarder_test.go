package x11

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

func TestRequest(t *testing.T) {
	f := forward(t, &Display{Screen: 2}).forwarder
	protocol, cookie, screen := f.Request()
	if protocol != "MIT-MAGIC-COOKIE-1" || len(cookie) != 32 || screen != 2 {
		t.Errorf("got %s, a cookie of %d digits, screen %d", protocol, len(cookie), screen)
	}
	if _, other, _ := forward(t, &Display{}).forwarder.Request(); other == cookie {
		t.Error("two forwarders have one cookie")
	}
}

func TestIncomplete(t *testing.T) {
	if _, err := NewForwarder(Config{Log: slog.Default()}); err == nil {
		t.Error("no error without a display")
	}
}

func TestCloseEndsClients(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	waiting, err := s.display.Dial(t.Context()) // has shown no cookie yet
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	c := connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
	s.forwarder.Close()
	c.ended()
	waiting.SetDeadline(time.Now().Add(patience))
	(&rawClient{t: t, conn: waiting}).ended()
	late, err := s.display.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	late.SetDeadline(time.Now().Add(patience))
	(&rawClient{t: t, conn: late}).ended()
}

func TestContextEndsClient(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	for name, prepare := range map[string]func(*rawClient){
		"before setup": func(*rawClient) {},
		"after setup": func(c *rawClient) {
			setup := x11.SetupRequest{Order: c.order, Major: 11, AuthName: s.display.AuthName, AuthData: s.display.AuthData}
			c.send(setup.Append(nil))
			c.read(x11.SetupAnswerHead)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			theirs.SetDeadline(time.Now().Add(patience))
			ctx, cancel := context.WithCancel(t.Context())
			var serving sync.WaitGroup
			serving.Go(func() { s.forwarder.Serve(ctx, ours) })
			c := &rawClient{t: t, conn: theirs, order: x11.LittleEndian}
			prepare(c)
			cancel()
			c.ended()
			serving.Wait()
		})
	}
}

// TestServerDies lets the X server end under a client, and another one take its
// place.
func TestServerDies(t *testing.T) {
	link := filepath.Join(t.TempDir(), "X")
	first := xtest.Start(t, "-ac")
	if err := os.Symlink(first.Path(), link); err != nil {
		t.Fatal(err)
	}
	s := forward(t, &Display{Path: link})
	c := connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
	first.Stop()
	c.ended()
	connect(t, s.display, x11.LittleEndian, x11.SetupRefused).ended()

	second := xtest.Start(t, "-ac")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(second.Path(), link); err != nil {
		t.Fatal(err)
	}
	connect(t, s.display, x11.BigEndian, x11.SetupAccepted).query("RENDER")
}

func TestDisplayRefuses(t *testing.T) {
	display := displayOf(xtest.Start(t))
	display.AuthData = make([]byte, 16)
	s := forward(t, display)
	c := connect(t, s.display, x11.LittleEndian, x11.SetupRefused)
	if reason := x11.RefusalReason(c.setup); reason != "goldm: the display cannot be reached\n" {
		t.Errorf("reason %q", reason)
	}
	c.ended()
}

// TestHalfClose closes a client's sending half after a request: the reply must
// still come.
func TestHalfClose(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	c := connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
	c.send(request(c.order, getInputFocus, 0))
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.reply()
	c.ended()
}

// TestManyRefused sends more refused requests than sequence numbers have, far
// ahead of reading the errors.
func TestManyRefused(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	c := connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
	const n = 100_000
	var sending sync.WaitGroup
	sending.Go(func() {
		var batch []byte
		for i := range n {
			batch = append(batch, request(c.order, 255, byte(i))...)
		}
		if _, err := c.conn.Write(batch); err != nil {
			t.Errorf("write: %v", err)
		}
	})
	defer sending.Wait()
	for i := range n {
		m := c.next()
		checkError(t, c.order, m, x11.BadRequest, 255, uint16(byte(i)), uint16(i+1))
		if t.Failed() {
			c.conn.Close()
			return
		}
	}
}

func TestTooManyClients(t *testing.T) {
	server := xtest.Start(t, "-maxclients", "1024")
	f := forward(t, displayOf(server)).forwarder
	var serving sync.WaitGroup
	defer serving.Wait()
	defer f.Close()
	show := func() (status byte) {
		near, far := net.Pipe()
		serving.Go(func() { f.Serve(context.Background(), near) })
		far.SetDeadline(time.Now().Add(patience))
		setup := x11.SetupRequest{Order: x11.LittleEndian, Major: 11, AuthName: xauth.MITMagicCookie, AuthData: f.cookie}
		if _, err := far.Write(setup.Append(nil)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, x11.SetupAnswerHead)
		if _, err := io.ReadFull(far, answer); err != nil {
			t.Fatal(err)
		}
		serving.Go(func() { io.Copy(io.Discard, far) })
		return answer[0]
	}
	for range maxClients {
		if show() != x11.SetupAccepted {
			t.Fatal("a client is refused")
		}
	}
	if show() != x11.SetupRefused {
		t.Error("one client too many is let in")
	}
}
