package session

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/session/stall"
	"goldm/session/x11"
)

// Client is a connection with an authenticated user. It owns the connection's
// goroutines; Close waits for them.
type Client struct {
	ssh    *ssh.Client
	line   *line
	server string
	limits Limits
	long   time.Duration // Config's LongLink
	log    *slog.Logger
	stalls *stall.Budget // of the channels that the server opens

	ctx    context.Context // done when the connection is
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	done   chan struct{}

	mu         sync.Mutex
	closed     bool // by Close
	err        error
	forwarders []*x11.Forwarder // of all commands so far

	// For new X clients; nil where none are expected.
	forwarder     *x11.Forwarder
	forwardingFor *Process

	sockets map[string]*UnixForward // by path; nil before the first
}

func newClient(conn ssh.Conn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, l *line, config Config) *Client {
	c := &Client{
		ssh:    ssh.NewClient(conn, channels, requests),
		line:   l,
		server: name(config.Host, config.Port),
		limits: config.Limits,
		long:   config.LongLink,
		log:    config.Log,
		done:   make(chan struct{}),
	}
	c.stalls = stall.New(stall.Config{Stalled: config.Limits.Stalled, Heap: config.Limits.Heap, Log: c.log.With("user", config.User)})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	xClients := c.ssh.HandleChannelOpen("x11")
	c.tasks.Go(func() { c.acceptX11(xClients) })
	c.tasks.Go(c.ping)
	c.tasks.Go(c.watch)
	c.tasks.Go(c.wait)
	return c
}

// wait waits for the end of the connection and says why it ended.
func (c *Client) wait() {
	err := c.ssh.Wait()
	c.mu.Lock()
	if !c.closed {
		cause := errors.Join(c.line.lost(), err)
		c.log.Warn("connection lost", "err", cause)
		c.err = failure.New(cause, "The connection to the server %s was lost. Log in again.", c.server)
	}
	c.mu.Unlock()
	c.cancel()
	close(c.done)
}

// Server is the server's name, with its port where that is unusual.
func (c *Client) Server() string { return c.server }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err tells, after Done, why the connection ended; nil where Close ended it.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and all that runs on it, and waits for its goroutines.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	forwarders := c.forwarders
	c.forwarders = nil
	c.mu.Unlock()
	err := c.ssh.Close()
	if errors.Is(err, net.ErrClosed) { // lost before
		err = nil
	}
	for _, f := range forwarders {
		err = errors.Join(err, f.Close())
	}
	c.tasks.Wait()
	c.stalls.Close()
	return err
}

// task runs f as one of the client's goroutines, or returns false when the client
// is closed.
func (c *Client) task(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.tasks.Go(f)
	return true
}
