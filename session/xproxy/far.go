package xproxy

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"goldm/internal/x11"
	"goldm/session/xproxy/mux"
)

const (
	// setupTime is how long a program may take to show its cookie.
	setupTime = 30 * time.Second

	// maxAuth bounds the name and the data of a program's authorization, in bytes.
	maxAuth = 256

	// maxStrangers bounds the connections that have not shown the cookie.
	maxStrangers = 64

	cookieName = "MIT-MAGIC-COOKIE-1"
)

// FarConfig says what a far half does.
type FarConfig struct {
	Listener net.Listener // where programs connect; Far closes it
	Offer    Offer        // the near half's
	Log      *slog.Logger
}

// far is a far half.
type far struct {
	config    FarConfig
	conn      *mux.Conn
	strangers chan struct{} // holds one for each connection that has not shown the cookie
	scouted   chan struct{} // closed when the scout has come back
	constants *constants    // what it found; nil where nothing is to be answered
	watched   *watched
	arrivals  chan struct{} // has one where a program has come and the asker does not know
}

// Far is the far half, on the server. It returns when the connection has ended or ctx is
// done, and closes rw. The error is nil where the near half closed.
func Far(ctx context.Context, rw io.ReadWriteCloser, config FarConfig) error {
	defer config.Listener.Close()
	f := &far{config: config, strangers: make(chan struct{}, maxStrangers), scouted: make(chan struct{}), arrivals: make(chan struct{}, 1)}
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
		select {
		case f.strangers <- struct{}{}:
			tasks.Go(func() { f.serve(ctx, program) })
		default:
			program.Close()
		}
	}
}

// serve carries one program.
func (f *far) serve(ctx context.Context, program net.Conn) {
	defer program.Close()
	defer context.AfterFunc(ctx, func() { program.Close() })()
	setup, err := f.greet(program)
	<-f.strangers
	if err != nil {
		f.config.Log.Debug("X11 program refused", "err", err)
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

// greet reads a program's setup and checks its cookie.
func (f *far) greet(program net.Conn) (x11.SetupRequest, error) {
	program.SetReadDeadline(time.Now().Add(setupTime))
	setup, err := x11.ReadSetupRequest(program, maxAuth)
	if err != nil {
		return setup, err
	}
	known := subtle.ConstantTimeCompare(setup.AuthData, f.config.Offer.Cookie) == 1
	if setup.AuthName != cookieName || !known {
		program.Write(x11.AppendSetupRefusal(nil, setup.Order, "goldm: the cookie is not this session's\n"))
		return setup, errors.New("wrong cookie")
	}
	return setup, program.SetReadDeadline(time.Time{})
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
