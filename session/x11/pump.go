package x11

import (
	"context"
	"errors"
)

// carryRequests carries the client's requests to the X server until either end
// closes. The error says what is wrong with a request.
func (c *client) carryRequests(ctx context.Context, r *requests) error {
	buf := make([]byte, bufferSize)
	have := 0
	for {
		n, readErr := c.channel.Read(buf[have:])
		have += n
		for full := true; full; {
			done, err := r.edit(buf[:have])
			if done > 0 {
				if _, err := c.server.Write(buf[:done]); err != nil {
					return nil // the X server has closed
				}
			}
			have = copy(buf, buf[done:have])
			full = errors.Is(err, errFull)
			switch {
			case full && r.pending.wait(ctx) != nil:
				return nil
			case !full && err != nil:
				return err
			}
		}
		if readErr != nil {
			return nil
		}
	}
}

// carryAnswers carries what the X server sends to the client until either end
// closes. It reports whether the server refused the connection.
func (c *client) carryAnswers(a *answers) (refused bool) {
	buf := make([]byte, bufferSize)
	have := 0
	for {
		n, readErr := c.server.Read(buf[have:])
		edited, done := a.edit(buf[:have+n])
		if done > 0 {
			if _, err := c.channel.Write(edited[:done]); err != nil {
				return a.refused
			}
		}
		have = copy(buf, edited[done:])
		if readErr != nil {
			return a.refused
		}
	}
}
