package session

import (
	"context"
	"time"
)

// ping asks the server for a sign of life where it gave none for a while. The
// request is OpenSSH's own; any answer does (OpenSSH's PROTOCOL, section 2, and
// RFC 4254, section 4).
func (c *Client) ping() {
	tick := time.NewTicker(c.limits.Ping)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		if c.line.silence() < c.limits.Ping/2 {
			continue
		}
		if _, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			return
		}
	}
}

// Answers tells whether the server is there although something on it is silent. It waits, where the connection may be
// lost, until that is known, within Dead and Ping of the server's last word, or ctx ends.
func (c *Client) Answers(ctx context.Context) bool {
	if c.line.silence() < 2*c.limits.Ping {
		return true
	}
	late := time.NewTimer(c.limits.Dead + c.limits.Ping)
	defer late.Stop()
	select {
	case <-c.done:
		return false
	case <-ctx.Done():
		return false
	case <-late.C:
		return true
	}
}

// watch ends a connection that is silent although it is pinged. It does not wait for
// the answers themselves: whatever arrives is a sign of life.
func (c *Client) watch() {
	tick := time.NewTicker(c.limits.Ping)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		if c.line.silence() >= c.limits.Dead {
			c.line.fail(errSilent)
			return
		}
	}
}
