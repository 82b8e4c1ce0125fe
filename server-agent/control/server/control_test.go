package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/server-agent/cluster"
	"goldm/server-agent/control"
	"goldm/server-agent/control/server"
)

// soon bounds the wait for what comes at once unless something is broken.
const soon = time.Minute

// daemon is one on a socket of its own.
type daemon struct {
	t       *testing.T
	socket  string
	drained string // its file
	cluster *cluster.Cluster
	stop    func()

	mu     sync.Mutex
	logins []string
}

func start(t *testing.T) *daemon {
	t.Helper()
	folder, err := os.MkdirTemp("", "control") // not t.TempDir, whose path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	d := &daemon{t: t, socket: filepath.Join(folder, "sock"), drained: filepath.Join(folder, "drained")}
	d.run()
	return d
}

// run starts the daemon, anew if need be.
func (d *daemon) run() {
	d.t.Helper()
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		d.t.Fatal(err)
	}
	s := server.New(server.Config{
		Name:      "here",
		DrainFile: d.drained,
		User:      func(context.Context, int) (string, error) { return "anna", nil },
		Login:     d.login,
		Log:       slog.New(slog.DiscardHandler),
	})
	d.cluster, err = cluster.New(cluster.Config{Self: cluster.Server{Name: "here"}, End: s.End})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- s.Run(ctx, l, d.cluster) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-result; err != nil {
			d.t.Error(err)
		}
	})
	d.t.Cleanup(d.stop)
}

func (d *daemon) login(result string, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins = append(d.logins, fmt.Sprint(result, " ", took))
}

func (d *daemon) dial() *control.Client {
	d.t.Helper()
	c, err := control.Dial(d.t.Context(), d.socket)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(c.Close)
	return c
}

var began = time.Date(2026, 11, 24, 9, 12, 0, 0, time.UTC)

func (d *daemon) register(c *control.Client, r control.Register) *control.Registered {
	d.t.Helper()
	r.Client, r.Began = "station-07", began
	answer, err := c.Register(d.t.Context(), r)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer
}

// list waits until the daemon knows the sessions with these IDs.
func (d *daemon) list(want ...string) {
	d.t.Helper()
	for end := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		var got []string
		for _, s := range d.cluster.Sessions() {
			got = append(got, s.ID)
		}
		if cmp.Equal(want, got) {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("the list is %q, not %q", got, want)
		}
	}
}

func TestRegister(t *testing.T) {
	d := start(t)
	one, two := d.dial(), d.dial()
	if got := d.register(one, control.Register{ID: "1"}); cmp.Diff(new(control.Registered), got) != "" {
		t.Errorf("%+v", got)
	}
	d.register(two, control.Register{ID: "2"})
	d.list("1", "2")
	want := cluster.Session{ID: "1", User: "anna", Server: "here", Client: "station-07", Began: began}
	if d := cmp.Diff(want, d.cluster.Sessions()[0]); d != "" {
		t.Error(d)
	}
	if others, warning, err := two.Others(t.Context()); len(others) > 0 || warning != "" || err != nil {
		t.Errorf("on other servers: %v, %q, %v", others, warning, err) // there are none
	}
	one.Close() // killed, for all that the daemon knows
	d.list("2")
}

func TestOneSession(t *testing.T) {
	d := start(t)
	first, second := d.dial(), d.dial()
	d.register(first, control.Register{ID: "1", One: true})
	answer := d.register(second, control.Register{ID: "2", One: true})
	if len(answer.Held) != 1 || answer.Held[0].ID != "1" || answer.Held[0].Client != "station-07" {
		t.Fatalf("%+v", answer)
	}
	d.list("1")
	go func() {
		e := <-first.Ending()
		if e.By != "station-07" {
			t.Errorf("ended by %q", e.By)
		}
		first.Close()
	}()
	if answer := d.register(second, control.Register{ID: "2", One: true, Replace: true}); len(answer.Held) > 0 {
		t.Fatalf("%+v", answer)
	}
	d.list("2")
}

// A session that ends is in nobody's way, but waited for.
func TestLeave(t *testing.T) {
	d := start(t)
	first, second := d.dial(), d.dial()
	d.register(first, control.Register{ID: "1", One: true})
	if err := d.dial().Leave(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if err := d.dial().Leave(t.Context(), "2"); err == nil {
		t.Error("one that is not there: no error")
	}
	answer := make(chan *control.Registered, 1)
	go func() {
		a, _ := second.Register(t.Context(), control.Register{ID: "2", One: true, Client: "station-08", Began: began})
		answer <- a
	}()
	select {
	case a := <-answer:
		t.Errorf("it was not waited for: %+v", a)
	case <-first.Ending():
		t.Error("it was asked to end")
	case <-time.After(100 * time.Millisecond): // nothing comes, as far as we wait
	}
	d.list("1")
	first.Close()
	if a := <-answer; a == nil || len(a.Held) > 0 {
		t.Errorf("%+v", a)
	}
	d.list("2")
}

// Who goes while it waits for another session's end leaves nothing behind.
func TestReplaceIsGivenUp(t *testing.T) {
	d := start(t)
	first, second := d.dial(), d.dial()
	d.register(first, control.Register{ID: "1", One: true})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-first.Ending() // and does not end
		cancel()
	}()
	if _, err := second.Register(ctx, control.Register{ID: "2", One: true, Replace: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	first.Close()
	d.list()
	third := d.dial()
	d.register(third, control.Register{ID: "2", One: true})
}

func TestEnd(t *testing.T) {
	d := start(t)
	session := d.dial()
	d.register(session, control.Register{ID: "1"})
	go func() {
		<-session.Ending()
		session.Close()
	}()
	if err := d.dial().EndSession(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	d.list()
	if err := d.dial().EndSession(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), "no session") {
		t.Errorf("one that is not there: %v", err)
	}
}

// Drained is what a daemon stays that is started anew, and sessions come back to it.
func TestDrain(t *testing.T) {
	d := start(t)
	session := d.dial()
	d.register(session, control.Register{ID: "1"})
	admin := d.dial()
	if err := admin.Drain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	refused := func() {
		t.Helper()
		if answer := d.register(d.dial(), control.Register{ID: "2"}); !strings.HasSuffix(answer.Refused, ".") {
			t.Errorf("on a drained server: %+v", answer)
		}
		info, err := d.dial().Info(t.Context())
		if err != nil || !info.Drained || info.Since.IsZero() || info.Name != "here" || info.Cluster != "no cluster" {
			t.Errorf("%+v, %v", info, err)
		}
	}
	refused()
	d.list("1")
	d.stop()
	<-session.Done()
	d.run()
	refused()
	d.register(d.dial(), control.Register{ID: "1", Again: true})
	d.list("1")
	if err := d.dial().Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	d.register(d.dial(), control.Register{ID: "2"})
	d.list("1", "2")
	if !control.DrainedSince(d.drained).IsZero() {
		t.Error("the file is still there")
	}
}

// Where the file cannot be written it holds for now, and who drains is told.
func TestDrainWithoutAFile(t *testing.T) {
	d := start(t)
	d.stop()
	d.drained = filepath.Join(d.drained, "no such folder", "drained")
	d.run()
	if err := d.dial().Drain(t.Context(), true); err == nil || !strings.Contains(err.Error(), "started anew") {
		t.Errorf("%v", err)
	}
	if info, err := d.dial().Info(t.Context()); err != nil || !info.Drained {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestLogins(t *testing.T) {
	d := start(t)
	c := d.dial()
	if err := c.Login(t.Context(), control.Login{Result: control.Started, Seconds: 1.5}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []control.Login{{Result: "odd"}, {Result: control.Failed, Seconds: -1}, {Result: control.Failed, Seconds: 1e9}} {
		if err := c.Login(t.Context(), bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	if diff := cmp.Diff([]string{"started 1.5s"}, d.logins); diff != "" {
		t.Error(diff)
	}
}

func TestBadRequests(t *testing.T) {
	d := start(t)
	owner := d.dial()
	d.register(owner, control.Register{ID: "1"})
	for _, line := range []string{
		"hello",
		`{"type":"reboot"}`,
		`{"type":"done"}`,
		`{"type":"register","id":"../1"}`,
		`{"type":"register","id":""}`,
		`{"type":"register","id":"1"}`,
		`{"type":"register","id":"9","client":"\u001b[2J"}`,
		`{"type":"register","id":"9","began":"now"}`,
		`{"type":"end","id":"2"}`,
		strings.Repeat("x", 10_000),
	} {
		conn, err := net.Dial("unix", d.socket)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(conn, line)
		conn.(*net.UnixConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if !strings.Contains(string(answer), `{"type":"done","error":"`) && len(line) < 1000 {
			t.Errorf("%.60s: %q", line, answer)
		}
		conn.Close()
	}
	d.list("1")
}
