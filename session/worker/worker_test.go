package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"goldm/internal/agentwire"
	"goldm/ldm/wire"
	"goldm/session/internal/sshtest"
	"goldm/session/worker"
)

// daemon is ldm's end of a worker that runs in this process.
type daemon struct {
	*wire.Conn
	t    *testing.T
	done chan error // Run's result
	log  *syncBuffer
	stop context.CancelFunc

	screen *wire.Screen // the session's X server, for begin
}

// syncBuffer is a log to read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func start(t *testing.T) *daemon {
	t.Helper()
	conn, file, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := wire.Worker(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	d := &daemon{Conn: conn, t: t, done: make(chan error, 1), log: new(syncBuffer), stop: stop}
	d.screen = &wire.Screen{Display: filepath.Join(t.TempDir(), "X"), Cookie: bytes.Repeat([]byte{7}, 16)}
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { d.done <- worker.Run(ctx, theirs, log) }()
	t.Cleanup(func() {
		stop()
		conn.Close()
	})
	return d
}

// send sends a message to the worker.
func (d *daemon) send(m wire.Message) {
	d.t.Helper()
	if err := d.Send(m); err != nil {
		d.t.Fatal(err)
	}
}

// begin has the worker prepare a session and start it on the screen.
func (d *daemon) begin(m *wire.Start) {
	d.t.Helper()
	d.send(m)
	d.send(d.screen)
}

// next returns the worker's next message that is no progress.
func (d *daemon) next() wire.Message {
	d.t.Helper()
	for {
		m, err := d.Receive()
		if err != nil {
			d.t.Fatalf("%v; the log:\n%s", err, d.log)
		}
		if _, ok := m.(*wire.Progress); !ok {
			return m
		}
	}
}

// want checks the worker's next message that is no progress.
func (d *daemon) want(m wire.Message) {
	d.t.Helper()
	if diff := cmp.Diff(m, d.next(), cmpopts.IgnoreFields(wire.Failed{}, "Detail"), cmpopts.IgnoreFields(wire.Ended{}, "Detail")); diff != "" {
		d.t.Fatalf("%s\nthe log:\n%s", diff, d.log)
	}
}

// exits checks that the worker ends well and in time, and closes its socket.
func (d *daemon) exits() {
	d.t.Helper()
	select {
	case err := <-d.done:
		if err != nil {
			d.t.Errorf("Run: %v", err)
		}
	case <-time.After(5 * time.Second):
		d.t.Fatal("the worker did not end within 5 s")
	}
	if _, err := d.Receive(); err == nil {
		d.t.Error("another message after the last")
	}
}

func (d *daemon) answer(text string) { d.send(&wire.Answer{Text: &text}) }

// login describes a login at these servers.
func login(t *testing.T, servers ...*sshtest.Server) *wire.Login {
	m := &wire.Login{
		ID:   "7",
		User: sshtest.User,
		Env:  map[string]string{"LTSP_CLIENT": "10.0.0.7"},
	}
	for _, s := range servers {
		m.Servers = append(m.Servers, s.Address())
		m.KnownHosts = append(m.KnownHosts, s.KnownHosts())
	}
	return m
}

var password = &wire.Question{Kind: wire.Secret, Text: "Password: "}

// authenticate logs in with the right password.
func (d *daemon) authenticate(m *wire.Login) {
	d.t.Helper()
	d.send(m)
	d.want(password)
	d.answer(sshtest.Password)
	d.want(&wire.Authenticated{Server: m.Servers[len(m.Servers)-1]})
}

func TestSession(t *testing.T) {
	commands := make(chan sshtest.Exec, 1)
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
		commands <- *e
		e.Exit(0)
	}})
	d := start(t)
	m := login(t, server)
	d.authenticate(m)
	d.begin(&wire.Start{Session: "xfce", Language: "de_DE.UTF-8"})
	d.want(&wire.Started{})
	d.want(&wire.Ended{})
	d.exits()

	e := <-commands
	for _, part := range []string{"exec /bin/sh -c '", "ldm_name='\\''xfce'\\''", "LTSP_CLIENT='\\''10.0.0.7'\\''"} {
		if !strings.Contains(e.Line, part) {
			t.Errorf("no %s in %s", part, e.Line)
		}
	}
	if e.Env["LANG"] != "de_DE.UTF-8" || e.X11 == nil || e.X11.Protocol != "MIT-MAGIC-COOKIE-1" {
		t.Errorf("environment %v, X11 %+v", e.Env, e.X11)
	}
	if strings.Contains(d.log.String(), sshtest.Password) {
		t.Error("the password is in the log")
	}
	if !strings.Contains(d.log.String(), "login=7") {
		t.Error("no login id in the log")
	}
}

func TestFences(t *testing.T) {
	d := start(t)
	d.Close()
	d.exits()
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		t.Errorf("dumpable %d, %v", dumpable, err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
		t.Errorf("RLIMIT_CORE %+v, %v", core, err)
	}
}

func TestWrongPassword(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	for _, wrong := range []*string{new(string), nil} {
		d := start(t)
		d.send(login(t, server))
		d.want(password)
		d.send(&wire.Answer{Text: wrong})
		d.want(&wire.Failed{Refused: true, Sentence: "The server did not accept this user name and password. Try again."})
		d.exits()
	}
	if diff := cmp.Diff([]string{"", ""}, server.Passwords()); diff != "" {
		t.Error(diff)
	}
}

// closedPort is a server that is not there.
func closedPort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestSecondServer(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	d := start(t)
	m := login(t, server)
	m.Servers = append([]string{closedPort(t)}, m.Servers...)
	d.authenticate(m)
}

// What is known of the servers makes the order, and not theirs on the list.
func TestKnownServers(t *testing.T) {
	drained, server := sshtest.Start(t, sshtest.Config{}), sshtest.Start(t, sshtest.Config{})
	d := start(t)
	m := login(t, drained, server)
	m.Known = []wire.Server{{Name: drained.Address(), State: wire.Up, Rating: 100, Drained: true}, {Name: server.Address(), State: wire.Up, Rating: 20}}
	d.authenticate(m)
}

// A server that another one named counts only where its own key is known under its own name, and
// one that shows another key keeps nobody from the others.
func TestFoundServers(t *testing.T) {
	unknown, changed, known := sshtest.Start(t, sshtest.Config{}), sshtest.Start(t, sshtest.Config{}), sshtest.Start(t, sshtest.Config{})
	m := login(t, unknown, changed, known)
	m.Found = m.Servers
	m.KnownHosts[0] = sshtest.KnownHosts(t, "*:"+fmt.Sprint(unknown.Port), sshtest.NewKey(t).PublicKey())
	m.KnownHosts[1] = sshtest.KnownHosts(t, changed.Address(), sshtest.NewKey(t).PublicKey())
	d := start(t)
	d.authenticate(m)
	for _, s := range []*sshtest.Server{unknown, changed} {
		if len(s.Passwords()) > 0 {
			t.Error("a password went to a server that is not trusted")
		}
	}

	alone := login(t, unknown)
	alone.Found, alone.KnownHosts = alone.Servers, nil
	d = start(t)
	d.send(alone)
	if m, ok := d.next().(*wire.Failed); !ok || !strings.Contains(m.Sentence, "does not know that server's key") {
		t.Errorf("got %#v", m)
	}
	d.exits()
}

// A server that refuses the user is the last one asked.
func TestNoSecondServerAfterRefusal(t *testing.T) {
	first, second := sshtest.Start(t, sshtest.Config{}), sshtest.Start(t, sshtest.Config{})
	d := start(t)
	d.send(login(t, first, second))
	d.want(password)
	d.answer("wrong")
	if m, ok := d.next().(*wire.Failed); !ok || !m.Refused {
		t.Errorf("got %#v", m)
	}
	d.exits()
	if len(second.Passwords()) > 0 {
		t.Error("the second server was asked too")
	}
}

func TestBadLogins(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	for name, tt := range map[string]struct {
		change   func(*wire.Login)
		sentence string
	}{
		"no servers":       {func(m *wire.Login) { m.Servers = nil }, "No server is set up"},
		"one not there":    {func(m *wire.Login) { m.Servers = []string{closedPort(t)} }, "takes no logins"},
		"two not there":    {func(m *wire.Login) { m.Servers = []string{closedPort(t), closedPort(t)} }, "None of the servers can be reached"},
		"no name":          {func(m *wire.Login) { m.Servers = []string{"-x y"} }, "is no name of a server"},
		"no user":          {func(m *wire.Login) { m.User = "" }, "No user name was given"},
		"NUL in the user":  {func(m *wire.Login) { m.User = "an\x00na" }, "no user name can have"},
		"10 kB of user":    {func(m *wire.Login) { m.User = strings.Repeat("x", 10<<10) }, "too long"},
		"unknown host key": {func(m *wire.Login) { m.KnownHosts = nil }, "is not known to this client"},
		"bad key file":     {func(m *wire.Login) { m.KnownHosts = []string{t.TempDir()} }, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t)
			m := login(t, server)
			tt.change(m)
			d.send(m)
			if failed, ok := d.next().(*wire.Failed); !ok || !strings.Contains(failed.Sentence, tt.sentence) {
				t.Errorf("got %#v, want %q", failed, tt.sentence)
			}
			d.exits()
		})
	}
	if len(server.Passwords()) > 0 {
		t.Error("a password was sent")
	}
}

// ldm hangs up, or stops the worker, at each step.
func TestHangUp(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) { e.Kill(<-e.Signals) }})
	steps := []func(*daemon, *wire.Login){
		func(*daemon, *wire.Login) {},
		func(d *daemon, m *wire.Login) { d.send(m); d.want(password) },
		func(d *daemon, m *wire.Login) { d.authenticate(m) },
		func(d *daemon, m *wire.Login) { d.authenticate(m); d.send(&wire.Start{}) },
		func(d *daemon, m *wire.Login) { d.authenticate(m); d.begin(&wire.Start{}); d.want(&wire.Started{}) },
	}
	for _, step := range steps {
		d := start(t)
		step(d, login(t, server))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d.exits()
		d = start(t)
		step(d, login(t, server))
		d.stop()
		d.exits()
	}
}

// A desktop that takes no notice does not keep the worker.
func TestHangUpOnDeafDesktop(t *testing.T) {
	release := make(chan struct{})
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) { <-release }})
	defer close(release)
	d := start(t)
	d.authenticate(login(t, server))
	d.begin(&wire.Start{})
	d.want(&wire.Started{})
	d.Close()
	d.exits()
}

func TestEnds(t *testing.T) {
	var server *sshtest.Server
	lost := func(*sshtest.Exec) { server.Cut() }
	for name, tt := range map[string]struct {
		exec     func(*sshtest.Exec)
		sentence string
	}{
		"logged out":    {func(e *sshtest.Exec) { e.Exit(0) }, ""},
		"did not start": {func(e *sshtest.Exec) { io.WriteString(e.Stderr(), "x-session-manager: not found"); e.Exit(127) }, "The desktop on the server SERVER ended at once. Choose another session, or ask the administrator."},
		"no status":     {func(e *sshtest.Exec) { e.Close() }, "The server SERVER ended the session. Log in again."},
		"lost":          {lost, "The connection to the server SERVER was lost. Log in again."},
	} {
		t.Run(name, func(t *testing.T) {
			ready := make(chan struct{})
			server = sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) { <-ready; tt.exec(e) }})
			d := start(t)
			d.authenticate(login(t, server))
			d.begin(&wire.Start{})
			d.want(&wire.Started{})
			close(ready)
			ended, ok := d.next().(*wire.Ended)
			if want := strings.ReplaceAll(tt.sentence, "SERVER", server.Address()); !ok || ended.Sentence != want {
				t.Errorf("got %#v, want %q", ended, want)
			}
			if name == "did not start" && !strings.Contains(ended.Detail, "x-session-manager: not found") {
				t.Errorf("detail %q", ended.Detail)
			}
			d.exits()
		})
	}
}

func TestDesktopThatCannotStart(t *testing.T) {
	for name, tt := range map[string]struct {
		config   sshtest.Config
		start    wire.Start
		sentence string
	}{
		"no X11":           {sshtest.Config{NoX11: true}, wire.Start{}, "install xauth"},
		"no exec":          {sshtest.Config{NoExec: true}, wire.Start{}, "did not start the session"},
		"session's name":   {sshtest.Config{}, wire.Start{Session: "../../x';id"}, "Choose another one"},
		"language's name":  {sshtest.Config{}, wire.Start{Language: "$(id)"}, "Choose another one"},
		"session's length": {sshtest.Config{}, wire.Start{Session: strings.Repeat("x", 10<<10)}, "Choose another one"},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t)
			d.authenticate(login(t, sshtest.Start(t, tt.config)))
			d.begin(&tt.start)
			if ended, ok := d.next().(*wire.Ended); !ok || !strings.Contains(ended.Sentence, tt.sentence) {
				t.Errorf("got %#v, want %q", ended, tt.sentence)
			}
			d.exits()
		})
	}
}

// An agent is pinged, and asked to end the session when ldm hangs up; what the
// user's shell prints before it says hello does no harm.
func TestAgent(t *testing.T) {
	heard := make(chan agentwire.Message, 16)
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
		io.WriteString(e, "Welcome to the school!\n"+strings.Repeat("x", 100<<10)+"\n{}\n")
		agentwire.Write(e, &agentwire.Hello{Version: agentwire.Version, Agent: "test"})
		agentwire.Write(e, &agentwire.Started{})
		messages := agentwire.NewReader(e)
		for {
			m, err := messages.Read()
			if err != nil {
				return
			}
			heard <- m
			if _, ok := m.(*agentwire.End); ok {
				agentwire.Write(e, &agentwire.Ended{Status: 143})
				e.Exit(143)
				return
			}
		}
	}})
	d := start(t)
	d.authenticate(login(t, server))
	d.begin(&wire.Start{})
	d.want(&wire.Started{})
	if m := <-heard; m == nil || cmp.Diff(m, agentwire.Message(&agentwire.Ping{})) != "" {
		t.Errorf("the agent heard %#v first", m)
	}
	d.Close()
	d.exits()
	if m := <-heard; cmp.Diff(m, agentwire.Message(&agentwire.End{})) != "" {
		t.Errorf("the agent heard %#v at the end", m)
	}
}

// A huge text still fits into a message to ldm.
func TestHugeTexts(t *testing.T) {
	text := strings.Repeat("\x01ä", 100<<10)
	server := sshtest.Start(t, sshtest.Config{})
	d := start(t)
	m := login(t, server)
	m.Servers = []string{strings.Repeat("x", 300)}
	d.send(m)
	if _, ok := d.next().(*wire.Failed); !ok {
		t.Error("no Failed")
	}
	if cut := worker.Cut(text); len(cut) > 8<<10 || !strings.HasPrefix(text, strings.TrimSuffix(cut, "…")) {
		t.Errorf("cut to %d bytes", len(cut))
	}
}
