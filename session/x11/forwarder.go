package x11

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"

	"goldm/internal/xauth"
)

var errClosed = errors.New("the X11 forwarder is closed")

const (
	// maxClients bounds the clients of one forwarder. X servers take 256 by default
	// and 2048 at most (Xserver(1), -maxclients).
	maxClients = 512

	// maxHere bounds the clients of a forwarder for programs of this machine, which
	// leave half of what X servers take to the others.
	maxHere = 128
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
	limit   int    // of clients
	probe   *probe

	mu      sync.Mutex
	closed  bool
	clients map[*client]struct{}
	running sync.WaitGroup
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
	defer channel.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &client{forwarder: f, channel: channel, cancel: cancel}
	if err := f.add(c); err != nil {
		if !errors.Is(err, errClosed) { // then it comes too late, which is no failure
			f.log.Warn("X client not forwarded", "error", err)
		}
		return
	}
	defer f.remove(c)
	if err := c.serve(ctx); err != nil {
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
	switch {
	case f.closed:
		return errClosed
	case len(f.clients) >= f.limit:
		return errors.New("too many clients")
	}
	f.clients[c] = struct{}{}
	f.running.Add(1)
	return nil
}

func (f *Forwarder) remove(c *client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
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
	return nil
}
