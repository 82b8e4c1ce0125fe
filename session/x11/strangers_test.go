package x11

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// Connections without the cookie keep out no program that has it, however many they are and
// whatever they send.
func TestAttackStrangers(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	var last net.Conn
	for n := range 1000 {
		conn, err := s.display.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		switch n % 3 {
		case 0:
			conn.Write([]byte("l"))
		case 1:
			wrong := x11.SetupRequest{Order: x11.LittleEndian, Major: 11, AuthName: s.display.AuthName, AuthData: make([]byte, 16)}
			conn.Write(wrong.Append(nil))
		}
		if n%100 == 0 || n == 70 || n == 600 {
			connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
		}
		last = conn
	}
	connect(t, s.display, x11.BigEndian, x11.SetupAccepted)
	last.Close()
}

// Clients that are in are not counted with those that are not.
func TestAttackClientsThatAreIn(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	var in []*rawClient
	for range maxStrangers + 10 { // in Xvfb's 256
		in = append(in, connect(t, s.display, x11.LittleEndian, x11.SetupAccepted))
	}
	for range 2 * maxStrangers {
		conn, err := s.display.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	for _, c := range in {
		c.send(request(c.order, getInputFocus, 0))
		c.reply()
	}
}

// A client that sends a byte now and then is given up in time.
func TestAttackSlowClient(t *testing.T) {
	t.Parallel()
	s := forward(t, displayOf(xtest.Start(t)))
	conn, err := s.display.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan error, 1)
	go func() {
		conn.SetReadDeadline(time.Now().Add(4 * setupTime))
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	setup := x11.SetupRequest{Order: x11.LittleEndian, Major: 11, AuthName: s.display.AuthName, AuthData: s.display.AuthData}
	for _, b := range setup.Append(nil) {
		conn.Write([]byte{b}) // which fails in the end
		select {
		case err := <-ended:
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error(err)
			}
			return
		case <-time.After(time.Second):
		}
	}
	t.Error("a setup of a byte a second was let in")
}

// A flood of wrong cookies is a line a minute in the log, with its number.
func TestAttackLog(t *testing.T) {
	var out lockedBuffer
	f, err := NewForwarder(Config{Display: &Display{}, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 520 {
		near, far := net.Pipe()
		var serving sync.WaitGroup
		serving.Go(func() { f.Serve(t.Context(), near) })
		wrong := x11.SetupRequest{Order: x11.LittleEndian, Major: 11, AuthName: "MIT-MAGIC-COOKIE-1", AuthData: make([]byte, 16)}
		if _, err := far.Write(wrong.Append(nil)); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, far)
		serving.Wait()
	}
	if got := strings.Count(out.String(), "\n"); got != 1 || !strings.Contains(out.String(), `rule="the session's cookie"`) {
		t.Errorf("%d lines: %.500s", got, out.String())
	}
	f.Close()
	if !strings.Contains(out.String(), "times=519") {
		t.Errorf("the rest is not counted: %s", out.String())
	}
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
