package x11

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"

	"goldm/internal/peer"
	"goldm/internal/xauth"
)

var (
	errClosed  = errors.New("the X11 forwarder is closed")
	errYielded = errors.New("too many clients that have not shown the cookie")
)

const (
	// maxClients bounds the clients of one forwarder that have shown the cookie. X servers take
	// 256 by default and 2048 at most (Xserver(1), -maxclients).
	maxClients = 512

	// maxHere is maxClients of a forwarder for programs of this machine, which leave half of
	// what X servers take to the others.
	maxHere = 128

	// maxStrangers bounds the clients that have not: sshd's port on the loopback takes every
	// user of the server, and does not say whose a client is. The session's own programs are
	// strangers for a round trip, and a desktop starts dozens at once.
	maxStrangers = 128
)

// Config says what a Forwarder forwards to.
type Config struct {
	Display *Display
	Cookie  []byte // what clients show; nil for a new one
	Log     *slog.Logger
}

// Forwarder carries X clients of one session to the local display. Its methods
// may be called from several goroutines.
type Forwarder struct {
	display *Display
	log     *slog.Logger
	cookie  []byte // what clients show; not the display's
	limit   int    // of clients that have shown it
	probe   *probe

	strangers *peer.Queue[struct{}]
	refusals  *peer.Refusals

	mu       sync.Mutex
	closed   bool
	clients  map[*client]struct{}
	admitted int // of these, those that have shown the cookie
	running  sync.WaitGroup
}

// NewForwarder makes a forwarder for programs of another machine. The display
// need not be up yet.
func NewForwarder(config Config) (*Forwarder, error) {
	return newForwarder(config, allowed, maxClients)
}

// NewLocalForwarder makes a forwarder for programs of this machine, which may use
// more extensions than others. ServeLocal takes them.
func NewLocalForwarder(config Config) (*Forwarder, error) {
	return newForwarder(config, allowedHere, maxHere)
}

func newForwarder(config Config, l list, limit int) (*Forwarder, error) {
	if config.Display == nil || config.Log == nil {
		return nil, errors.New("X11 forwarder: no display or no log")
	}
	f := &Forwarder{
		display: config.Display,
		log:     config.Log,
		cookie:  config.Cookie,
		limit:   limit,
		probe:   newProbe(config.Display, l),
		clients: make(map[*client]struct{}),

		strangers: peer.NewQueue[struct{}](maxStrangers),
		refusals:  peer.NewRefusals(config.Log),
	}
	if len(f.cookie) == 0 {
		f.cookie = xauth.NewCookie()
	}
	return f, nil
}

// Request returns what goes into the "x11-req" that asks the server to forward
// (RFC 4254, section 6.3.1); the cookie is hexadecimal.
func (f *Forwarder) Request() (protocol, cookie string, screen uint32) {
	return xauth.MITMagicCookie, hex.EncodeToString(f.cookie), uint32(f.display.Screen)
}

// Serve carries the client at the other end of channel and returns, with
// channel closed, when either side has ended, ctx is done or the forwarder is
// closed. Closing channel must end calls of its methods; those of an SSH channel
// end when its peer has agreed or the SSH connection is closed.
func (f *Forwarder) Serve(ctx context.Context, channel io.ReadWriteCloser) {
	f.Arrive(ctx).Serve(channel)
}

// Arrival is a client that has come, and whose channel may not be open yet. It is counted from
// then on, so that clients are counted in the order in which they come.
type Arrival struct {
	forwarder *Forwarder
	ctx       context.Context
	cancel    context.CancelCauseFunc
	place     *peer.Place[struct{}]
}

// Arrive counts a client that comes; where too many have not shown the cookie the oldest of them
// has to go. Serve or Leave has to follow.
func (f *Forwarder) Arrive(ctx context.Context) *Arrival {
	a := &Arrival{forwarder: f}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.place = f.strangers.Take(struct{}{}, func() { a.cancel(errYielded) })
	return a
}

// Gone is closed when the client has had to go.
func (a *Arrival) Gone() <-chan struct{} { return a.ctx.Done() }

// Leave forgets a client that is not served.
func (a *Arrival) Leave() {
	a.place.Leave()
	a.cancel(nil)
}

// Serve is the forwarder's, for this client.
func (a *Arrival) Serve(channel io.ReadWriteCloser) {
	defer channel.Close()
	defer a.Leave()
	f := a.forwarder
	c := &client{forwarder: f, channel: channel, cancel: func() { a.cancel(nil) }, place: a.place}
	if err := f.add(c); err != nil { // it comes too late, which is no failure
		return
	}
	defer f.remove(c)
	if err := c.serve(a.ctx); err != nil {
		f.log.Warn("X client ended", "error", err)
	}
}

// ServeLocal is Serve for a program of this machine, with the descriptors that it
// and the X server send each other.
func (f *Forwarder) ServeLocal(ctx context.Context, conn *net.UnixConn) {
	f.Serve(ctx, newSocket(conn, maxFromClient))
}

func (f *Forwarder) add(c *client) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errClosed
	}
	f.clients[c] = struct{}{}
	f.running.Add(1)
	return nil
}

// admit counts a client that has shown the cookie. The error is why it cannot come in.
func (f *Forwarder) admit(c *client) error {
	stayed := c.place.Leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !stayed:
		return errYielded
	case f.admitted >= f.limit:
		return errors.New("too many clients")
	}
	f.admitted++
	c.admitted = true
	return nil
}

func (f *Forwarder) remove(c *client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
	if c.admitted {
		f.admitted--
	}
	f.running.Done()
}

// Close ends all clients and waits until they have ended. Where they come by
// SSH channels, close the SSH connection first or at the same time.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	f.closed = true
	for c := range f.clients {
		c.cancel()
	}
	f.mu.Unlock()
	f.running.Wait()
	f.probe.close()
	f.refusals.Close()
	return nil
}
