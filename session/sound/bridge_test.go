package sound

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// daemonFor starts a daemon that the test plays: each connection comes on the channel.
func daemonFor(t *testing.T, path string) <-chan net.Conn {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	conns := make(chan net.Conn, 8)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	return conns
}

// player connects a program to a bridge.
func player(t *testing.T, ctx context.Context, b *bridge) net.Conn {
	t.Helper()
	program, ours := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() { b.serve(ctx, ours) })
	t.Cleanup(func() {
		program.Close()
		serving.Wait()
	})
	program.SetDeadline(time.Now().Add(time.Minute))
	return program
}

// logged is a logger and what it says.
func logged() (*slog.Logger, *lockedBuffer) {
	var text lockedBuffer
	return slog.New(slog.NewTextHandler(&text, nil)), &text
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestBridge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	conns := daemonFor(t, path)
	log, _ := logged()
	b := newBridge(Daemon{Socket: path, Cookie: cookieOf('d')}, cookieOf('s'), log)
	program := player(t, t.Context(), b)
	if _, err := program.Write(greetingOf(cookieOf('s'))); err != nil {
		t.Fatal(err)
	}
	daemon := <-conns
	defer daemon.Close()
	greeting, err := readAuth(daemon)
	if err != nil || !bytes.Equal(greeting.cookie, cookieOf('d')) {
		t.Fatalf("the daemon hears %.3q, %v", greeting.cookie, err)
	}
	music := audio(0, []byte("music"))
	got := make([]byte, len(music))
	for _, way := range [][2]net.Conn{{program, daemon}, {daemon, program}} {
		if _, err := way[0].Write(music); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, music) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	daemon.Close()
	if _, err := program.Read(got); err != io.EOF {
		t.Errorf("after the daemon's end the program reads %v", err)
	}
}

// A wrong cookie, or none, ends the connection; the daemon does not hear of it.
func TestBridgeRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	conns := daemonFor(t, path)
	log, text := logged()
	b := newBridge(Daemon{Socket: path, Cookie: cookieOf('d')}, cookieOf('s'), log)
	for range 3 {
		program := player(t, t.Context(), b)
		program.Write(greetingOf(cookieOf('d')))
		if _, err := program.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("with a wrong cookie: %v", err)
		}
	}
	select {
	case <-conns:
		t.Error("the daemon was called")
	default:
	}
	if n := strings.Count(text.String(), "level=WARN"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, text)
	}
}

// A daemon that comes back in a moment is waited for; one that does not is
// complained of once.
func TestBridgeWithoutDaemon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "native")
	log, text := logged()
	b := newBridge(Daemon{Socket: path, Cookie: cookieOf('d')}, cookieOf('s'), log)
	for range 2 {
		program := player(t, t.Context(), b)
		program.Write(greetingOf(cookieOf('s')))
		if _, err := program.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("without a daemon: %v", err)
		}
	}
	if n := strings.Count(text.String(), "level=WARN"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, text)
	}
	program := player(t, t.Context(), b)
	program.Write(greetingOf(cookieOf('s')))
	daemon := <-daemonFor(t, path)
	defer daemon.Close()
	if _, err := readAuth(daemon); err != nil {
		t.Error(err)
	}
}

// A daemon that reads nothing holds up its program only, and the end of the session
// ends both.
func TestBridgeStalled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	conns := daemonFor(t, path)
	log, _ := logged()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := newBridge(Daemon{Socket: path, Cookie: cookieOf('d')}, cookieOf('s'), log)
	stalled := player(t, ctx, b)
	stalled.Write(greetingOf(cookieOf('s')))
	defer (<-conns).Close()
	flooded := make(chan error, 1)
	go func() {
		chunk := audio(0, make([]byte, 64<<10))
		for {
			if _, err := stalled.Write(chunk); err != nil {
				flooded <- err
				return
			}
		}
	}()
	other := player(t, ctx, b)
	other.Write(greetingOf(cookieOf('s')))
	daemon := <-conns
	defer daemon.Close()
	if _, err := readAuth(daemon); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-flooded; err == nil {
		t.Error("the flood went on")
	}
}

func TestBudget(t *testing.T) {
	now := time.Now()
	b := newBudget(1000, 500)
	b.at = now
	for i, step := range []struct {
		after time.Duration
		bytes int
		want  time.Duration
	}{
		{0, 500, 0},
		{0, 500, 500 * time.Millisecond},
		{time.Second, 500, 0},
		{time.Hour, 1500, time.Second},
	} {
		now = now.Add(step.after)
		if got := max(0, b.take(step.bytes, now)); (got - step.want).Abs() > time.Millisecond {
			t.Errorf("step %d: wait %v, want %v", i, got, step.want)
		}
	}
}
