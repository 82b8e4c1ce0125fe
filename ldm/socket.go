package ldm

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"goldm/internal/peer"
	"goldm/internal/privs"
	"goldm/internal/tagged"
	"goldm/ldm/greetd"
	"goldm/ldm/login"
)

const (
	maxConns   = 16 // greeters that talk to a seat at once
	maxReplies = 64 // responses that a greeter has not read yet
)

// listen opens the greeters' socket, for user u alone. Its folder is root's.
func listen(path string, u privs.User) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(path, u.UID, u.GID), os.Chmod(path, 0o600)); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// accept serves greeters until the listener is closed.
func (s *Seat) accept(l *net.UnixListener) {
	var last login.ConnID
	slots := make(chan struct{}, maxConns)
	refusals := peer.NewRefusals(s.Log)
	defer refusals.Close()
	for {
		socket, err := l.AcceptUnix()
		if err != nil {
			return // closed; the listener has no other end
		}
		if at, err := peer.Of(socket); err != nil || at.UID != s.Users.Greeter.UID {
			refusals.Add("the greeter's user", "uid", at.UID, "pid", at.PID, "program", at.Program(), "cause", fmt.Sprint(err))
			socket.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			refusals.Add("greeters at once")
			socket.Close()
			continue
		}
		last++
		id, c := last, newConn(socket, s.quit, s.Log)
		s.Log.Info("a greeter connected")
		s.tasks.Go(func() {
			defer func() { <-slots }()
			s.serve(id, c)
		})
	}
}

// serve reads a greeter's requests until it goes, or breaks the framing.
func (s *Seat) serve(id login.ConnID, c *conn) {
	defer c.wait()
	defer c.close()
	var known bool
	introduce := func() {
		if !known {
			s.conns[id], known = c, true
		}
	}
	for {
		request, err := greetd.ReadRequest(c.socket)
		if bad, ok := errors.AsType[*tagged.BadMessage](err); ok {
			s.post(login.BadRequest{Conn: id, Reason: bad.Reason}, introduce)
			continue
		}
		if err != nil {
			s.Log.Debug("a greeter's connection ended", "cause", err)
			break
		}
		s.post(login.Request{Conn: id, Request: request}, introduce)
	}
	s.post(login.ConnGone{Conn: id}, func() { delete(s.conns, id) })
}

// conn is a greeter's connection. Its own goroutine writes, so that a greeter
// that does not read holds up nobody.
type conn struct {
	socket *net.UnixConn
	log    *slog.Logger
	out    chan greetd.Response
	closed sync.Once
	quit   chan struct{}
	writer sync.WaitGroup
}

// newConn returns a connection that lasts no longer than the seat.
func newConn(socket *net.UnixConn, seat <-chan struct{}, log *slog.Logger) *conn {
	c := &conn{socket: socket, log: log, out: make(chan greetd.Response, maxReplies), quit: make(chan struct{})}
	c.writer.Go(func() { c.write(seat) })
	return c
}

func (c *conn) write(seat <-chan struct{}) {
	for {
		select {
		case response := <-c.out:
			if err := greetd.WriteResponse(c.socket, response); err != nil {
				c.close()
				return
			}
		case <-c.quit:
			return
		case <-seat:
			c.close()
			return
		}
	}
}

// reply queues a response. A greeter that lets them pile up is not following
// the protocol and loses its connection; progress it may miss.
func (c *conn) reply(r greetd.Response) {
	if _, ok := r.(*greetd.Progress); ok && len(c.out) > maxReplies/2 {
		return
	}
	select {
	case c.out <- r:
	default:
		c.log.Warn("a greeter loses its connection: it does not read", "responses", len(c.out))
		c.close()
	}
}

func (c *conn) close() {
	c.closed.Do(func() {
		close(c.quit)
		c.socket.Close()
	})
}

func (c *conn) wait() { c.writer.Wait() }
