package serve

import (
	"container/list"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// conns holds the open connections, the oldest first. When there are too many, the
// oldest goes: it has been answered, or is one that takes its time.
type conns struct {
	max int

	mu     sync.Mutex
	open   list.List // of *conn
	closed bool
}

func newConns(most int) *conns { return &conns{max: most} }

// listener makes the connections of a listener some of these.
func (c *conns) listener(l net.Listener) net.Listener { return &listener{Listener: l, conns: c} }

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
		if !passing(err) {
			return nil, err
		}
		l.conns.dropOldest()
		time.Sleep(10 * time.Millisecond)
	}
}

// passing tells whether an error of accept(2) passes.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// conn is a connection that knows its place among the open ones.
type conn struct {
	net.Conn
	conns *conns
	place *list.Element
}

func (c *conns) add(accepted net.Conn) *conn {
	added := &conn{Conn: accepted, conns: c}
	c.mu.Lock()
	added.place = c.open.PushBack(added)
	full, closed := c.open.Len() > c.max, c.closed
	c.mu.Unlock()
	if full {
		c.dropOldest()
	}
	if closed {
		added.Close()
	}
	return added
}

// Close closes the connection.
func (c *conn) Close() error {
	c.conns.mu.Lock()
	c.conns.open.Remove(c.place) // which does nothing the second time
	c.conns.mu.Unlock()
	return c.Conn.Close()
}

func (c *conns) dropOldest() {
	c.mu.Lock()
	oldest := c.open.Front()
	c.mu.Unlock()
	if oldest != nil {
		oldest.Value.(*conn).Close()
	}
}

// close closes all connections, those that come later included.
func (c *conns) close() {
	c.mu.Lock()
	c.closed = true
	var all []*conn
	for e := c.open.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*conn))
	}
	c.mu.Unlock()
	for _, open := range all {
		open.Close()
	}
}
