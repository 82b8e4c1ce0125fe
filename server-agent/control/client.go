package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"syscall"
	"time"

	"goldm/server-agent/sessions"
)

const (
	// askLimit bounds the wait for an answer that takes the daemon no time.
	askLimit = 15 * time.Second

	maxList = 100_000 // sessions that are taken
)

// Client is a connection to the daemon, with one request at a time.
type Client struct {
	conn    net.Conn
	answers chan Message
	ending  chan Ending
	done    chan struct{}
	reading sync.WaitGroup
}

// Dial connects to the daemon. Where there is none the error is Absent.
func Dial(ctx context.Context, path string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	c := &Client{
		conn:    conn,
		answers: make(chan Message),
		ending:  make(chan Ending, 1),
		done:    make(chan struct{}),
	}
	c.reading.Go(c.read)
	return c, nil
}

// Absent tells whether an error of Dial means that no daemon runs.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// read passes on what comes until the connection ends.
func (c *Client) read() {
	defer close(c.answers)
	defer close(c.done)
	r := NewReader(c.conn, MaxReply)
	for {
		m, err := r.Read()
		if err != nil {
			return
		}
		if e, ok := m.(*Ending); ok {
			select {
			case c.ending <- *e:
			default: // it knows
			}
			continue
		}
		select {
		case c.answers <- m:
		case <-time.After(askLimit): // nobody asked
			c.conn.Close()
			return
		}
	}
}

// Close ends the connection, and with it a session's registration.
func (c *Client) Close() {
	c.conn.Close()
	for range c.answers {
	}
	c.reading.Wait()
}

// Ending says when the session that is registered shall end.
func (c *Client) Ending() <-chan Ending { return c.ending }

// Done is closed when the daemon has gone.
func (c *Client) Done() <-chan struct{} { return c.done }

// ask sends a request and returns its answer. After an error of the connection,
// the end of ctx among them, the connection is of no more use.
func (c *Client) ask(ctx context.Context, m Message) (Message, error) {
	if err := c.conn.SetWriteDeadline(time.Now().Add(WriteLimit)); err != nil {
		return nil, err
	}
	if err := Write(c.conn, m, MaxRequest); err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	return c.next(ctx)
}

// next waits for an answer.
func (c *Client) next(ctx context.Context) (Message, error) {
	select {
	case m, open := <-c.answers:
		if !open {
			return nil, errors.New("the daemon hung up")
		}
		if d, ok := m.(*Done); ok && d.Error != "" {
			return nil, &RefusedError{d.Error}
		}
		return m, nil
	case <-ctx.Done():
		c.conn.Close()
		return nil, fmt.Errorf("answer of the daemon: %w", context.Cause(ctx))
	}
}

// RefusedError is the daemon's no.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Register registers a session, until the connection ends. With Replace it takes as long as
// the ends of others do, some 35 seconds each at most.
func (c *Client) Register(ctx context.Context, r Register) (*Registered, error) {
	return as[*Registered](c.ask(ctx, &r))
}

// Sessions lists the sessions on the other servers: one's own, or as root all. The
// warning, where there is one, says why some may be missing.
func (c *Client) Sessions(ctx context.Context) (all []sessions.Session, warning string, err error) {
	return c.list(ctx, &ListRequest{})
}

// Others lists one's own sessions on the other servers, but for those that end.
func (c *Client) Others(ctx context.Context) (others []sessions.Session, warning string, err error) {
	return c.list(ctx, &ListRequest{Others: true})
}

func (c *Client) list(ctx context.Context, r *ListRequest) (all []sessions.Session, warning string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	some, err := as[*List](c.ask(ctx, r))
	for ; err == nil; some, err = as[*List](c.next(ctx)) {
		all = append(all, some.List...)
		if !some.More {
			return all, some.Warning, nil
		}
		if len(all) > maxList {
			return nil, "", fmt.Errorf("over %d sessions", maxList)
		}
	}
	return nil, "", err
}

// EndSession ends a session of one's own, as root anybody's, wherever it is, and waits for that.
func (c *Client) EndSession(ctx context.Context, id string) error {
	_, err := c.ask(ctx, &EndRequest{ID: id})
	return err
}

// Leave says that a session of one's own on this server has begun to end.
func (c *Client) Leave(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	_, err := c.ask(ctx, &LeaveRequest{ID: id})
	return err
}

// Drain lets no new logins in, or lets them in again.
func (c *Client) Drain(ctx context.Context, drain bool) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	_, err := c.ask(ctx, &DrainRequest{Drain: drain})
	return err
}

// Info returns the daemon's state.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return as[*Info](c.ask(ctx, &InfoRequest{}))
}

// Login counts a login.
func (c *Client) Login(ctx context.Context, l Login) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	_, err := c.ask(ctx, &l)
	return err
}

// as is an answer of the right type.
func as[M Message](m Message, err error) (M, error) {
	var none M
	if err != nil {
		return none, err
	}
	right, ok := m.(M)
	if !ok {
		return none, fmt.Errorf("the daemon answered %s", m.messageType())
	}
	return right, nil
}
