package serve

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"goldm/internal/peer"
)

// conns holds the open connections. When there are too many, the network with the most loses
// its oldest: that one has been answered, or is one that takes its time.
type conns struct {
	places   *peer.Queue[netip.Prefix]
	refusals *peer.Refusals

	mu     sync.Mutex
	open   map[*conn]bool
	closed bool
}

func newConns(most int, log *slog.Logger) *conns {
	return &conns{places: peer.NewQueue[netip.Prefix](most), refusals: peer.NewRefusals(log), open: make(map[*conn]bool)}
}

// listener makes the connections of a listener some of these.
func (c *conns) listener(l net.Listener) net.Listener { return &listener{Listener: l, conns: c} }

// Bounded is a listener that has at most that many connections at once: of the network with the
// most the oldest is closed.
func Bounded(l net.Listener, most int, log *slog.Logger) net.Listener {
	return newConns(most, log).listener(l)
}

type listener struct {
	net.Listener
	conns *conns
}

// Accept waits for a connection. What can be helped by waiting, such as a lack of
// files, ends no listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err == nil {
			return l.conns.add(accepted), nil
		}
		if !peer.Passes(err) {
			return nil, err
		}
		l.conns.places.Shed()
		time.Sleep(10 * time.Millisecond)
	}
}

// conn is a connection that has a place among the open ones.
type conn struct {
	net.Conn
	conns *conns
	place *peer.Place[netip.Prefix]
}

func (c *conns) add(accepted net.Conn) *conn {
	added := &conn{Conn: accepted, conns: c}
	from := network(accepted.RemoteAddr().String())
	added.place = c.places.Take(from, func() {
		accepted.Close()
		c.refusals.Add("connections at once", "from", from)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		accepted.Close()
	} else {
		c.open[added] = true
	}
	return added
}

// Close closes the connection.
func (c *conn) Close() error {
	c.place.Leave()
	c.conns.mu.Lock()
	delete(c.conns.open, c)
	c.conns.mu.Unlock()
	return c.Conn.Close()
}

// close closes all connections, those that come later included.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for open := range c.open {
		open.Conn.Close()
	}
	clear(c.open)
}
