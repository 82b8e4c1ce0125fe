package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"goldm/internal/failure"
	"goldm/ldm/greetd"
)

// seat is what a daemon offers besides its users: logins of accounts, by name.
type seat struct {
	guest     string // whoever asks
	automatic string // by itself; a guest where it is empty
	after     int    // seconds of quiet before that; negative for never
}

// pauses are how long an account that failed waits for its next try, in seconds.
var pauses = []int{2, 600}

// describe describes the seat after so many failures of the automatic account.
func (s seat) describe(failures int) *greetd.Seat {
	r := &greetd.Seat{
		Hostname: "thin7", Servers: []string{"alpha.example.org", "beta.example.org"},
		States: map[string]string{"alpha.example.org": greetd.Up, "beta.example.org": greetd.Down},
		Guest:  s.guest != "",
	}
	if s.after >= 0 {
		r.Automatic = &greetd.Automatic{After: s.after, Guest: s.automatic == ""}
		if failures > 0 {
			r.Automatic.After = pauses[min(failures, len(pauses))-1]
		}
	}
	return r
}

// daemon serves greeters on a listener until it is closed.
type daemon struct {
	seat     seat
	listener net.Listener
	cancel   context.CancelFunc
	serving  sync.WaitGroup

	failures atomic.Int32 // of the automatic account

	mu  sync.Mutex
	out io.Writer
}

func newDaemon(seat seat, listener net.Listener, out io.Writer) *daemon {
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemon{seat: seat, listener: listener, cancel: cancel, out: out}
	d.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.serving.Go(func() { d.serve(ctx, conn) })
		}
	})
	return d
}

func (d *daemon) close() {
	d.cancel()
	d.listener.Close()
	d.serving.Wait()
}

// report prints a step of the greeter. Answers never get here.
func (d *daemon) report(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

// serve speaks with one greeter. The end of its connection cancels a dialogue in
// the middle of whatever it does, as greetd's.
func (d *daemon) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan greetd.Request)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer cancel()
		for {
			r, err := greetd.ReadRequest(conn)
			if err != nil {
				return
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	})
	defer reading.Wait()
	defer conn.Close()
	c := &conversation{ctx: ctx, seat: d.seat, failures: &d.failures, conn: conn, requests: requests, report: d.report}
	d.report("connected")
	c.serve()
	d.report("closed")
}

// conversation is what one connection says.
type conversation struct {
	ctx      context.Context
	seat     seat
	failures *atomic.Int32
	conn     net.Conn
	requests <-chan greetd.Request
	report   func(format string, args ...any)
	progress bool // the greeter wants to know what is going on
}

// errOver ends a dialogue whose greeter is gone or has given up.
var errOver = errors.New("the greeter has given up")

func (c *conversation) serve() {
	loggedIn := false
	for {
		r, err := c.read()
		if err != nil {
			return
		}
		switch r := r.(type) {
		case *greetd.Describe:
			c.write(c.seat.describe(int(c.failures.Load())))
		case *greetd.CreateSession:
			c.progress = r.Progress
			loggedIn = c.login(users[r.Username], stranger)
		case *greetd.AutomaticSession:
			c.progress = r.Progress
			account := c.seat.automatic
			if r.Guest {
				account = c.seat.guest
			}
			if loggedIn = c.login(accounts[account], noAccount); !loggedIn {
				c.failures.Add(1)
			}
		case *greetd.StartSession:
			if !loggedIn {
				c.refuse(greetd.OtherError, "Nobody is logged in.")
				continue
			}
			c.write(&greetd.Success{})
		case *greetd.CancelSession:
			loggedIn = false
			c.write(&greetd.Success{})
		default:
			c.refuse(greetd.OtherError, "There is no question to answer.")
		}
	}
}

// login has the dialogue of a user, or that of whoever is none, and says whether it
// went well.
func (c *conversation) login(user, nobody func(*conversation) error) bool {
	if user == nil {
		user = nobody
	}
	switch err := user(c); {
	case err == nil:
		c.write(&greetd.Success{})
		return true
	case errors.Is(err, errOver):
	default:
		c.refuse(greetd.AuthError, failure.Of(err).Sentence)
	}
	return false
}

func (c *conversation) read() (greetd.Request, error) {
	select {
	case r := <-c.requests:
		c.reportRequest(r)
		return r, nil
	case <-c.ctx.Done():
		return nil, errOver
	}
}

func (c *conversation) reportRequest(r greetd.Request) {
	switch r := r.(type) {
	case *greetd.Describe:
		c.report("describe")
	case *greetd.CreateSession:
		c.report("create_session %q%s", r.Username, on(r.Server))
	case *greetd.AutomaticSession:
		c.report("create_automatic_session%s", map[bool]string{true: " of a guest"}[r.Guest])
	case *greetd.StartSession:
		c.report("start_session")
	case *greetd.CancelSession:
		c.report("cancel_session")
	case *greetd.PostResponse:
		if r.Response == nil {
			c.report("acknowledged")
			return
		}
		c.report("answered")
	}
}

func on(server string) string {
	if server == "" {
		return ""
	}
	return " on " + server
}

// write drops its error: the reader sees the end of the connection too.
func (c *conversation) write(r greetd.Response) { _ = greetd.WriteResponse(c.conn, r) }

func (c *conversation) refuse(kind, sentence string) {
	c.write(&greetd.Error{Type: kind, Description: sentence})
}

// ask asks a question and returns the answer.
func (c *conversation) ask(kind, question string) (string, error) {
	c.write(&greetd.AuthMessage{Type: kind, Text: question})
	r, err := c.read()
	if err != nil {
		return "", err
	}
	switch r := r.(type) {
	case *greetd.PostResponse:
		if r.Response == nil {
			return "", nil
		}
		return *r.Response, nil
	case *greetd.CancelSession:
		c.write(&greetd.Success{})
		return "", errOver
	}
	c.refuse(greetd.OtherError, "A question is open.")
	return "", errOver
}

// tell shows a text, which the greeter acknowledges.
func (c *conversation) tell(kind, text string) error {
	_, err := c.ask(kind, text)
	return err
}

// take lets a step take its time, and says what it is.
func (c *conversation) take(d time.Duration, step string) error {
	if c.progress {
		c.write(&greetd.Progress{Text: step})
	}
	select {
	case <-time.After(d):
		return nil
	case <-c.ctx.Done():
		return errOver
	}
}
