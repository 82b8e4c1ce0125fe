package xwatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"goldm/internal/pulse"
	"goldm/internal/x11/display"
	"goldm/internal/x11/xconn"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

// short makes half a minute half a second.
var short = pulse.Limits{Every: 200 * time.Millisecond, Answer: 100 * time.Millisecond}

// watched is a server that is watched.
type watched struct {
	*xtest.Server
	result chan error
	silent chan bool

	mu  sync.Mutex
	log bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *watched) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.log.String(), text)
}

func watch(t *testing.T) *watched {
	x := xtest.Start(t)
	w := &watched{Server: x, result: make(chan error, 1), silent: make(chan bool, 10)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.result <- Watch(ctx, Config{
			Socket: x.Path(), Cookie: x.Cookie, PID: x.PID(), Limits: short,
			Log: slog.New(slog.NewTextHandler(w, nil)), Silent: func(s bool) { w.silent <- s },
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// runs checks that the server is not found to hang for so many judgements.
func (w *watched) runs(t *testing.T, judgements int) {
	t.Helper()
	select {
	case err := <-w.result:
		t.Fatalf("the watch ended: %v", err)
	case <-time.After(time.Duration(judgements) * short.Every):
	}
}

func (w *watched) hangs(t *testing.T) {
	t.Helper()
	select {
	case err := <-w.result:
		if !errors.Is(err, pulse.ErrHung) {
			t.Errorf("%v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody notices")
	}
}

// A program that holds GrabServer, for as long as twelve judgements, costs the server nothing, and is logged once.
func TestAttackGrabbedServer(t *testing.T) {
	w := watch(t)
	d := &display.Display{Number: w.Number, AuthName: xauth.MITMagicCookie, AuthData: w.Cookie}
	conn, err := xconn.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go conn.Events(func(xgb.Event) {})
	if err := xproto.GrabServerChecked(conn.Conn).Check(); err != nil {
		t.Fatal(err)
	}
	if silent := <-w.silent; !silent {
		t.Error("not noticed")
	}
	w.runs(t, 12)
	xproto.UngrabServer(conn.Conn)
	conn.Sync()
	if silent := <-w.silent; silent {
		t.Error("the end is not noticed")
	}
	w.runs(t, 3)
	if n := w.count("GrabServer"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A server that is stopped hangs, whether it is grabbed or not.
func TestAttackStoppedServer(t *testing.T) {
	w := watch(t)
	w.runs(t, 3)
	syscall.Kill(w.PID(), syscall.SIGSTOP)
	defer syscall.Kill(w.PID(), syscall.SIGCONT)
	w.hangs(t)
}

// What is stopped for less than two judgements is let off.
func TestShortStop(t *testing.T) {
	w := watch(t)
	for range 3 {
		syscall.Kill(w.PID(), syscall.SIGSTOP)
		time.Sleep(short.Answer)
		syscall.Kill(w.PID(), syscall.SIGCONT)
		w.runs(t, 2)
	}
}

// impostor listens in an X server's place, with this process, and treats each connection so.
func impostor(t *testing.T, serve func(net.Conn)) Config {
	path := filepath.Join(t.TempDir(), "X")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	return Config{Socket: path, PID: os.Getpid(), Limits: short, Log: slog.New(slog.DiscardHandler)}
}

// A server that answers with nonsense, or without end, costs bounded work, and hears no other
// process's cookie.
func TestAttackHostileServer(t *testing.T) {
	endless := bytes.Repeat([]byte{34}, 1<<16)
	for name, serve := range map[string]func(net.Conn){
		"closes":  func(net.Conn) {},
		"refuses": func(c net.Conn) { c.Write([]byte{0, 0, 11, 0, 0, 0, 0, 0}) },
		"nonsense": func(c net.Conn) {
			c.Write(bytes.Repeat([]byte{0xff}, 100<<10))
			io.Copy(io.Discard, c)
		},
		"events without end": func(c net.Conn) {
			for {
				if _, err := c.Write(endless); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*short.Every)
			defer cancel()
			if err := Watch(ctx, impostor(t, serve)); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	c := impostor(t, func(c net.Conn) {
		if n, _ := io.Copy(io.Discard, c); n > 0 {
			t.Errorf("another process got %d bytes", n)
		}
	})
	c.PID = 1
	if err := Watch(t.Context(), c); err != nil {
		t.Errorf("%v", err)
	}
}

// A process that never waits is busy; one that gets no processor is not to blame.
func TestSightings(t *testing.T) {
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer busy.Wait()
	defer busy.Process.Kill()
	var s *sighting
	verdict := func(pid int) string {
		s = begin(pid)
		for range 20 {
			time.Sleep(20 * time.Millisecond)
			s.look()
		}
		return s.verdict()
	}
	for deadline := time.Now().Add(time.Minute); verdict(busy.Process.Pid) != "busy without a break"; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", s)
		}
	}
	if s.last = s.first; s.verdict() != "" {
		t.Error("a process that got no processor is blamed")
	}
	if said := verdict(os.Getppid()); said != "" {
		t.Errorf("a process that waits: %q", said)
	}
}
