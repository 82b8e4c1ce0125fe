package mux

import (
	"errors"
	"io"
	"sync"
)

const (
	// firstWindow is how many bytes of a stream may be on the way or wait to be read, at first.
	firstWindow = 64 << 10

	// mostWindow is how far that grows for one whose reader keeps up.
	mostWindow = 4 << 20

	// spareWindow bounds by how much the windows of all streams grow together.
	spareWindow = 16 << 20

	// maxOut bounds what of a stream waits to be sent, in bytes.
	maxOut = 64 << 10
)

// ErrReset is the error of Write where nobody listens any more.
var ErrReset = errors.New("stream reset by the other side")

// Stream is one stream. Read and Write may be called at the same time, by one goroutine
// each; the rest from everywhere.
type Stream struct {
	conn   *Conn
	id     uint32
	change sync.Cond // of anything below; its lock is the connection's

	in        queue
	window    int  // how much the peer may have sent that was not read
	credit    int  // of window, what it has been told of and has not used
	consumed  int  // read, and the peer not told
	drained   int  // read since the window grew last
	inEnded   bool // closed or reset by the peer
	deaf      bool // nobody reads it any more
	opened    bool // the peer knows of the stream
	out       queue
	allowance int    // how much we may send
	served    uint64 // what was sent, for fairness; see schedule
	outEnded  bool   // nothing more may be written
	unheard   bool   // the peer reads no more
	closeSent bool   // our close or reset has gone out
	resetSent bool
}

// Read reads what the peer has written. The error is io.EOF once it has closed.
func (s *Stream) Read(p []byte) (int, error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for s.in.len() == 0 && !s.inEnded && !s.deaf && c.err == nil {
		s.change.Wait()
	}
	switch {
	case s.deaf:
		return 0, io.ErrClosedPipe
	case s.in.len() > 0:
	case s.inEnded:
		return 0, io.EOF
	default:
		return 0, c.err
	}
	n := s.in.take(p)
	s.consumed += n
	s.drained += n
	if s.consumed >= s.window/4 && !s.inEnded {
		s.grow()
		c.wakeWriter()
	}
	return n, nil
}

// grow lets the peer send more at a time where the reader is faster than that.
func (s *Stream) grow() {
	if s.in.len() > s.window/4 || s.drained < s.window {
		return
	}
	s.drained = 0
	more := min(s.window, mostWindow-s.window, s.conn.spare)
	s.window += more
	s.consumed += more // told together with what was read
	s.conn.spare -= more
}

// Write writes p, and waits while the peer does not take it.
func (s *Stream) Write(p []byte) (n int, err error) { return s.write(p, s.conn.wakeWriter) }

// WriteLater is Write for what nobody waits for: it goes along with what is written next on any stream, or
// after a moment.
func (s *Stream) WriteLater(p []byte) (n int, err error) { return s.write(p, s.conn.wakeLater) }

func (s *Stream) write(p []byte, wake func()) (n int, err error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for s.out.len() >= maxOut && !s.outEnded && c.err == nil {
			s.change.Wait()
		}
		switch {
		case s.unheard:
			return n, ErrReset
		case s.outEnded:
			return n, io.ErrClosedPipe
		case c.err != nil:
			return n, c.err
		}
		some := p[n:min(len(p), n+maxOut-s.out.len())]
		if len(p) == 0 {
			return 0, nil
		}
		if s.out.len() == 0 {
			c.join(s)
		}
		s.out.add(some)
		n += len(some)
		if n < len(p) || s.out.len() >= maxOut/2 {
			wake = c.wakeWriter // it is soon too much to wait
		}
		wake()
		if n == len(p) {
			return n, nil
		}
	}
}

// CloseWrite tells the peer, after all that was written, that nothing more comes.
func (s *Stream) CloseWrite() error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	s.outEnded = true
	s.change.Broadcast()
	c.wakeWriter()
	return nil
}

// Close ends the stream. What was written still arrives; what the peer writes does not.
func (s *Stream) Close() error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	s.outEnded, s.deaf = true, true
	s.in.drop()
	s.change.Broadcast()
	c.wakeWriter()
	return nil
}
