package greeter_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"goldm/greeter"
	"goldm/ldm/greetd"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// person is a Screen that a test reads and types on.
type person struct {
	t      *testing.T
	views  chan greeter.View
	inputs chan greeter.Event
	view   greeter.View
}

func (p *person) Show(v greeter.View)          { p.views <- v }
func (p *person) Inputs() <-chan greeter.Event { return p.inputs }

// sees waits until the screen shows what is asked for.
func (p *person) sees(what string, shown func(greeter.View) bool) {
	p.t.Helper()
	limit := time.After(patience)
	for !shown(p.view) {
		select {
		case p.view = <-p.views:
		case <-limit:
			p.t.Fatalf("the screen never showed %s; last: %+v", what, p.view)
		}
	}
}

func (p *person) seesEntry(label string, e greeter.Entry) {
	p.t.Helper()
	p.sees(label, func(v greeter.View) bool { return v.Label == label && v.Entry == e })
}

func (p *person) types(text string) {
	p.inputs <- greeter.Submitted{Turn: p.view.Turn, Text: text}
}

// daemon is the other end of the socket.
type daemon struct {
	t        *testing.T
	listener net.Listener
	conn     net.Conn
}

func (d *daemon) accept(seat *greetd.Seat) {
	d.t.Helper()
	conn, err := d.listener.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	d.conn = conn
	d.describes(seat)
}

func (d *daemon) describes(seat *greetd.Seat) {
	d.t.Helper()
	if r, ok := d.reads().(*greetd.Describe); !ok {
		d.t.Fatalf("the greeter did not ask for the seat: %T", r)
	}
	d.writes(seat)
}

func (d *daemon) reads() greetd.Request {
	d.t.Helper()
	d.conn.SetReadDeadline(time.Now().Add(patience))
	r, err := greetd.ReadRequest(d.conn)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *daemon) readsEnd() {
	d.t.Helper()
	d.conn.SetReadDeadline(time.Now().Add(patience))
	if r, err := greetd.ReadRequest(d.conn); err != io.EOF {
		d.t.Fatalf("read %T, %v; want the end of the connection", r, err)
	}
}

func (d *daemon) writes(r greetd.Response) {
	d.t.Helper()
	if err := greetd.WriteResponse(d.conn, r); err != nil {
		d.t.Fatal(err)
	}
}

// ordinary is a seat where nothing begins by itself.
var ordinary = &greetd.Seat{Hostname: "thin7", Servers: []string{"alpha"}}

func begin(t *testing.T) (*person, *daemon, <-chan error) { return beginAt(t, ordinary) }

// beginAt runs a greeter against a daemon. The channel gives what Run returns.
func beginAt(t *testing.T, seat *greetd.Seat) (*person, *daemon, <-chan error) {
	socket := filepath.Join(t.TempDir(), "greetd.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, views: make(chan greeter.View, 1000), inputs: make(chan greeter.Event)}
	ctx, cancel := context.WithCancel(t.Context())
	result, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		result <- greeter.Run(ctx, greeter.Config{
			Socket: socket, Hostname: "?", Screen: p, Log: slog.New(slog.DiscardHandler),
		})
	}()
	t.Cleanup(func() { cancel(); <-ended; listener.Close() })
	d := &daemon{t: t, listener: listener}
	d.accept(seat)
	return p, d, result
}

func ends(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("the greeter did not end")
		return nil
	}
}

func TestRunLogin(t *testing.T) {
	p, d, result := begin(t)
	p.sees("the host name", func(v greeter.View) bool { return v.Title == "thin7" && v.Servers == "alpha" })
	p.types("anna")
	if r, ok := d.reads().(*greetd.CreateSession); !ok || r.Username != "anna" || !r.Progress {
		t.Fatalf("greeter sent %+v", r)
	}
	d.writes(&greetd.Progress{Text: "Connecting …"})
	p.sees("what it waits for", func(v greeter.View) bool { return v.Status == "Connecting …" })
	d.writes(&greetd.AuthMessage{Type: greetd.Info, Text: "Welcome"})
	if r, ok := d.reads().(*greetd.PostResponse); !ok || r.Response != nil {
		t.Fatalf("info answered by %+v", r)
	}
	d.writes(&greetd.AuthMessage{Type: greetd.Secret, Text: "Password: "})
	p.seesEntry("Password:", greeter.Secret)
	p.types(" gehëim€ ")
	if r, ok := d.reads().(*greetd.PostResponse); !ok || r.Response == nil || *r.Response != " gehëim€ " {
		t.Fatalf("greeter sent %+v", r)
	}
	d.writes(&greetd.Success{})
	if _, ok := d.reads().(*greetd.StartSession); !ok {
		t.Fatal("no start_session")
	}
	d.writes(&greetd.Success{})
	if err := ends(t, result); err != nil {
		t.Error(err)
	}
}

func TestRunEscapeWhileWaiting(t *testing.T) {
	p, d, _ := begin(t)
	p.seesEntry("User name", greeter.Visible)
	p.types("anna")
	d.reads()
	p.inputs <- greeter.Escaped{}
	d.readsEnd()
	d.accept(ordinary)
	p.sees("the name again", func(v greeter.View) bool { return v.Entry == greeter.Visible && v.Text == "anna" })
	p.types("bert")
	if r, ok := d.reads().(*greetd.CreateSession); !ok || r.Username != "bert" {
		t.Fatalf("greeter sent %+v", r)
	}
}

// What begins by itself counts down, and a key stops it.
func TestRunAutomatic(t *testing.T) {
	p, d, _ := begin(t)
	p.seesEntry("User name", greeter.Visible)
	p.types("anna")
	d.reads()
	d.writes(&greetd.Error{Type: greetd.OtherError, Description: "No server answers."})
	d.describes(&greetd.Seat{Automatic: &greetd.Automatic{After: 1}, Servers: []string{"beta"}})
	p.sees("the seat anew", func(v greeter.View) bool { return v.Servers == "beta" })
	p.inputs <- greeter.Escaped{} // clears the name that holds it
	d.describes(&greetd.Seat{Automatic: &greetd.Automatic{After: 90}, Servers: []string{"alpha", "beta"}})
	p.sees("when it begins", func(v greeter.View) bool { return v.Status == "Automatic login in 90 s. Press any key to stay here." })
	p.sees("a second less", func(v greeter.View) bool { return v.Status == "Automatic login in 89 s. Press any key to stay here." })
	p.inputs <- greeter.Typed{Turn: p.view.Turn}
	p.sees("that it stays", func(v greeter.View) bool { return v.Status == "" })
	p.inputs <- greeter.ServerTurned{}
	p.types("bert")
	if r, ok := d.reads().(*greetd.CreateSession); !ok || r.Username != "bert" || r.Server != "alpha" {
		t.Fatalf("greeter sent %+v", r)
	}
}

func TestRunAutomaticAtOnce(t *testing.T) {
	p, d, result := beginAt(t, &greetd.Seat{Automatic: &greetd.Automatic{Guest: true}})
	if r, ok := d.reads().(*greetd.AutomaticSession); !ok || !r.Guest || !r.Progress {
		t.Fatalf("greeter sent %+v", r)
	}
	p.inputs <- greeter.Escaped{}
	d.readsEnd()
	d.accept(&greetd.Seat{Guest: true, Automatic: &greetd.Automatic{Guest: true}})
	p.sees("a pause", func(v greeter.View) bool { return v.Status == "Guest session in 30 s. Press any key to stay here." })
	p.inputs <- greeter.GuestAsked{Turn: p.view.Turn}
	d.reads()
	d.writes(&greetd.Success{})
	d.reads()
	d.writes(&greetd.Success{})
	if err := ends(t, result); err != nil {
		t.Error(err)
	}
}

func TestRunDaemonGoesAway(t *testing.T) {
	p, d, result := begin(t)
	d.listener.Close()
	d.conn.Close()
	p.sees("a sentence", func(v greeter.View) bool { return len(v.Messages) == 1 && v.Messages[0].Kind == greeter.Trouble })
	if err := ends(t, result); err == nil {
		t.Error("the greeter ended as if a session began")
	}
}

func TestRunGarbage(t *testing.T) {
	p, d, _ := begin(t)
	p.seesEntry("User name", greeter.Visible)
	p.types("anna")
	d.reads()
	d.conn.Write([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	d.accept(ordinary)
	p.sees("what happened", func(v greeter.View) bool { return v.Entry == greeter.Visible && len(v.Messages) == 1 })
}

func TestRunEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // nobody accepts
	ctx, cancel := context.WithCancel(t.Context())
	p := &person{t: t, views: make(chan greeter.View, 1000)}
	result := make(chan error, 1)
	go func() {
		result <- greeter.Run(ctx, greeter.Config{
			Socket: listener.Addr().String(), Screen: p, Log: slog.New(slog.DiscardHandler),
		})
	}()
	p.seesEntry("User name", greeter.Visible)
	cancel()
	if err := ends(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}
