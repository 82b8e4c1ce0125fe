package session

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/internal/xauth"
	"goldm/session/x11"
)

// ErrNoX11 is in the chain of Start's error where the server forwards no X11.
var ErrNoX11 = errors.New("x11-req refused")

// x11Request is the payload of RFC 4254, section 6.3.1.
type x11Request struct {
	SingleConnection bool
	Protocol         string
	Cookie           string
	Screen           uint32
}

// forward asks the server to forward X11 for a command, to its display.
func (c *Client) forward(p *Process) error {
	forwarder, err := x11.NewForwarder(x11.Config{Display: p.cmd.X11, Log: c.log})
	if err != nil {
		return err
	}
	if err := c.startForwarding(p, forwarder); err != nil {
		return errors.Join(err, forwarder.Close())
	}
	var request x11Request
	request.Protocol, request.Cookie, request.Screen = forwarder.Request()
	ok, err := c.requestX11(p.channel, &request)
	if err == nil && ok {
		return nil
	}
	c.stopForwarding(p)
	if err != nil {
		return fmt.Errorf("x11-req: %w", err)
	}
	return c.noX11()
}

func (c *Client) noX11() error {
	return failure.New(ErrNoX11, "The server %s does not let programs show windows here. "+
		"Ask the administrator to install xauth on it and to set X11Forwarding yes for its SSH.", c.server)
}

// forwardsX11 reports whether the server would forward X11. It asks on a channel of its own,
// for which nobody gets in: there is no forwarder with the cookie.
func (c *Client) forwardsX11() bool {
	channel, requests, err := c.ssh.OpenChannel("session", nil)
	if err != nil {
		return true // what is wrong is told when there is something to run
	}
	defer channel.Close()
	if !c.task(func() { ssh.DiscardRequests(requests) }) {
		return true
	}
	cookie := hex.EncodeToString(xauth.NewCookie())
	ok, err := c.requestX11(channel, &x11Request{Protocol: xauth.MITMagicCookie, Cookie: cookie})
	return ok || err != nil
}

// requestX11 sends an x11-req, again where it is refused: of two sshd processes that look
// for a free display number at the same moment one may fail, since both can bind a
// port with SO_REUSEADDR, and only one listen (x11_create_display_inet in OpenSSH's channels.c).
func (c *Client) requestX11(channel ssh.Channel, request *x11Request) (ok bool, err error) {
	const tries = 5
	for try := 1; ; try++ {
		ok, err = channel.SendRequest("x11-req", true, ssh.Marshal(request))
		if ok || err != nil || try == tries {
			return ok, err
		}
		select {
		case <-time.After(rand.N(100 * time.Millisecond)):
		case <-c.done:
		}
	}
}

// startForwarding gives new X clients to f, for p. A server does not say which
// command an X client belongs to (RFC 4254, section 6.3.2), so there is one at a time.
func (c *Client) startForwarding(p *Process, f *x11.Forwarder) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errClosed
	case c.forwarder != nil:
		return errors.New("another command already forwards X11 on this connection")
	}
	c.forwarders = append(c.forwarders, f)
	c.forwarder, c.forwardingFor = f, p
	return nil
}

// stopForwarding refuses X clients that are still to come for p.
func (c *Client) stopForwarding(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forwardingFor == p {
		c.forwarder, c.forwardingFor = nil, nil
	}
}

// forwarding returns the forwarder for a new X client; nil where none was asked for.
func (c *Client) forwarding() *x11.Forwarder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forwarder
}

// maxXChannels bounds the channels of X clients that a server may open at a time: those that the
// forwarder carries, which has bounds of its own, and those that it has refused and the server
// has not closed yet.
const maxXChannels = 2048

// acceptX11 carries the X clients that the server opens channels for, until the
// connection ends.
func (c *Client) acceptX11(opened <-chan ssh.NewChannel) {
	slots := make(chan struct{}, maxXChannels)
	for open := range opened {
		forwarder := c.forwarding()
		if forwarder == nil {
			open.Reject(ssh.Prohibited, "X11 forwarding was not asked for")
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			open.Reject(ssh.ResourceShortage, "too many X11 clients")
			c.log.Warn("a program is refused: too many are open", "kind", "X11", "most", cap(slots))
			continue
		}
		arrival := forwarder.Arrive(c.ctx)
		serve := func() {
			defer func() { <-slots }()
			c.serveX11(open, arrival)
		}
		if !c.task(serve) {
			arrival.Leave()
		}
	}
}

func (c *Client) serveX11(open ssh.NewChannel, arrival *x11.Arrival) {
	defer arrival.Leave()
	select {
	case <-arrival.Gone():
		open.Reject(ssh.ResourceShortage, "too many X11 clients without the cookie")
		return
	default:
	}
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	c.carry("X11", channel, requests, arrival.Leave, func(channel ssh.Channel) { arrival.Serve(channel) })
}
