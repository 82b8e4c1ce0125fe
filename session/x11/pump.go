package x11

import (
	"context"
	"errors"
	"io"
)

// carryRequests carries the client's requests to the X server until either end
// closes. The error says what is wrong with a request.
func (c *client) carryRequests(ctx context.Context, r *requests) error {
	buf := make([]byte, bufferSize)
	have := 0
	for {
		n, readErr := c.channel.Read(buf[have:])
		rest := buf[:have+n]
		for more := true; more; {
			done, err := r.edit(rest)
			if done > 0 && send(c.server, rest[:done], r.goes) != nil {
				return nil // the X server has closed
			}
			rest = rest[done:]
			full := errors.Is(err, errFull)
			more = full || errors.Is(err, errAlone)
			switch {
			case full && r.pending.wait(ctx) != nil:
				return nil
			case !more && err != nil:
				return err
			}
		}
		have = copy(buf, rest)
		switch {
		case errors.Is(readErr, errFlood):
			return readErr
		case r.came != nil && r.came.stray(have):
			return errStray
		case readErr != nil:
			return nil
		}
	}
}

// carryAnswers carries what the X server sends to the client until either end
// closes. The error says what is wrong with it.
func (c *client) carryAnswers(a *answers) error {
	buf := make([]byte, bufferSize)
	have := 0
	for {
		n, readErr := c.server.Read(buf[have:])
		rest := buf[:have+n]
		for more := true; more; more = a.alone {
			edited, done := a.edit(rest)
			if done > 0 && send(c.channel, edited[:done], a.goes) != nil {
				return a.fault()
			}
			rest = edited[done:]
		}
		have = copy(buf, rest)
		switch {
		case a.err != nil:
			return a.err
		case errors.Is(readErr, errFlood):
			return readErr
		case readErr != nil:
			return a.fault()
		}
	}
}

// send writes bytes, with descriptors beside the first of them where there are
// any. Only a socket ever gets some.
func send(to io.Writer, p []byte, fds []int) error {
	if s, ok := to.(*socket); ok && len(fds) > 0 {
		return s.WriteWith(p, fds)
	}
	_, err := to.Write(p)
	return err
}
