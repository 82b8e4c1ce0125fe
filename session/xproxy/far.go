package xproxy

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"goldm/internal/peer"
	"goldm/internal/x11"
	"goldm/session/xproxy/mux"
)

const (
	// setupTime is how long a program may take to show its cookie, which libxcb sends at once.
	setupTime = 10 * time.Second

	// maxAuth bounds the name and the data of a program's authorization, in bytes.
	maxAuth = 256

	// ownWaiting bounds the connections of the session's user that have not shown the cookie, and
	// othersWaiting those of all other users: root's programs, under sudo, come one by one.
	ownWaiting    = 64
	othersWaiting = 16

	cookieName = "MIT-MAGIC-COOKIE-1"
)

// FarConfig says what a far half does.
type FarConfig struct {
	Listener net.Listener // where programs connect, by Unix sockets; Far closes it
	Offer    Offer        // the near half's
	Log      *slog.Logger
}

// far is a far half.
type far struct {
	config    FarConfig
	conn      *mux.Conn
	gate      *peer.Gate // where programs are until they have shown the cookie
	refusals  *peer.Refusals
	scouted   chan struct{} // closed when the scout has come back
	constants *constants    // what it found; nil where nothing is to be answered
	watched   *watched
	arrivals  chan struct{} // has one where a program has come and the asker does not know
}

// Far is the far half, on the server. It returns when the connection has ended or ctx is
// done, and closes rw. The error is nil where the near half closed.
func Far(ctx context.Context, rw io.ReadWriteCloser, config FarConfig) error {
	defer config.Listener.Close()
	f := &far{config: config, gate: peer.NewGate(os.Getuid(), ownWaiting, othersWaiting), scouted: make(chan struct{}), arrivals: make(chan struct{}, 1)}
	f.refusals = peer.NewRefusals(config.Log)
	defer f.refusals.Close()
	f.watched = newWatched(func(notice []byte) error { return f.conn.Notice(notice) })
	f.watched.last = func() uint64 { return f.conn.Heard() }
	conn, err := mux.New(rw, mux.Config{Notice: f.watched.take})
	if err != nil {
		rw.Close()
		return err
	}
	f.conn = conn
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer conn.Close()
	defer cancel()
	tasks.Go(func() {
		defer cancel() // the X server has gone, and another one would have other atoms
		f.scout(ctx)
	})
	tasks.Go(func() { f.listen(ctx, &tasks) })
	select {
	case <-conn.Done():
	case <-ctx.Done():
	}
	config.Listener.Close()
	if err := conn.Err(); err != nil {
		return ended(ctx, err)
	}
	return nil
}

// listen takes programs' connections, until the listener is closed.
func (f *far) listen(ctx context.Context, tasks *sync.WaitGroup) {
	for {
		program, err := f.config.Listener.Accept()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				f.config.Log.Error("X11: no more programs", "err", err)
			}
			return
		}
		visitor, err := f.gate.Enter(program)
		if err != nil {
			f.refusals.Add("a known user", "err", err)
			program.Close()
			continue
		}
		tasks.Go(func() { f.serve(ctx, visitor, program) })
	}
}

// serve carries one program.
func (f *far) serve(ctx context.Context, visitor *peer.Visitor, program net.Conn) {
	defer program.Close()
	defer context.AfterFunc(ctx, func() { program.Close() })()
	setup, err := f.greet(program)
	if stayed := visitor.Leave(); err != nil || !stayed {
		f.refuse(ctx, visitor, stayed, err)
		return
	}
	select {
	case <-f.scouted:
	case <-ctx.Done():
		return
	}
	f.arrive()
	stream, err := f.conn.Open()
	if err != nil {
		f.config.Log.Warn("X11 program not served", "err", err)
		program.Write(x11.AppendSetupRefusal(nil, setup.Order, "goldm: "+err.Error()+"\n"))
		return
	}
	defer stream.Close()
	if _, err := stream.Write(setup.Append(nil)); err != nil {
		return
	}
	if err := f.carry(setup.Order, program, stream); err != nil {
		f.config.Log.Warn("X11 program ended", "err", err)
	}
}

var errCookie = errors.New("wrong cookie")

// greet reads a program's setup and checks its cookie.
func (f *far) greet(program net.Conn) (x11.SetupRequest, error) {
	program.SetDeadline(time.Now().Add(setupTime))
	setup, err := x11.ReadSetupRequest(program, maxAuth)
	if err != nil {
		return setup, err
	}
	known := subtle.ConstantTimeCompare(setup.AuthData, f.config.Offer.Cookie) == 1
	if setup.AuthName != cookieName || !known {
		program.Write(x11.AppendSetupRefusal(nil, setup.Order, "goldm: the cookie is not this session's\n"))
		return setup, errCookie
	}
	return setup, program.SetDeadline(time.Time{})
}

// refuse logs by which rule a program is refused. One that says nothing and goes has looked
// whether the display is there.
func (f *far) refuse(ctx context.Context, visitor *peer.Visitor, stayed bool, err error) {
	rule := "X11's setup"
	switch {
	case ctx.Err() != nil, stayed && errors.Is(err, io.EOF):
		return
	case !stayed:
		rule = "places without the cookie"
	case errors.Is(err, os.ErrDeadlineExceeded):
		rule = "time to show the cookie"
	case errors.Is(err, errCookie):
		rule = "the session's cookie"
	}
	f.refusals.Add(rule, "uid", visitor.UID, "pid", visitor.PID, "program", visitor.Program(), "err", err)
}

// carry carries both directions until both have ended.
func (f *far) carry(order x11.Order, program net.Conn, stream *mux.Stream) error {
	if f.constants == nil {
		carryPlain(program, stream)
		return nil
	}
	p := newProgram(order, f.constants)
	err := p.carry(program, stream)
	f.config.Log.Debug("X11 program", "answered", p.ledger.answered, "requests", p.ledger.sequence)
	if err != nil {
		return fmt.Errorf("X11: %w", err)
	}
	return nil
}

// carryPlain carries bytes.
func carryPlain(program net.Conn, stream *mux.Stream) {
	var sending sync.WaitGroup
	sending.Go(func() {
		io.Copy(struct{ io.Writer }{stream}, struct{ io.Reader }{program})
		stream.CloseWrite()
	})
	io.Copy(struct{ io.Writer }{program}, struct{ io.Reader }{stream})
	program.Close() // a program whose server has gone has nothing more to say
	sending.Wait()
}
