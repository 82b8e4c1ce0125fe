package session

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// Subsystem starts a subsystem of the server, such as "sftp", on a channel of its
// own (RFC 4254, section 6.5), which the caller closes. Where ctx ends first the
// channel is closed as soon as the server has opened it: a session does not end
// because a server takes long over something else.
func (c *Client) Subsystem(ctx context.Context, name string) (ssh.Channel, error) {
	return c.channel(ctx, "subsystem", name, io.Discard)
}

// channel opens a channel for a subsystem, or for a command line ("exec"), whose standard error
// goes to stderr.
func (c *Client) channel(ctx context.Context, kind, what string, stderr io.Writer) (ssh.Channel, error) {
	var channel ssh.Channel
	var err error
	opened := make(chan struct{})
	open := func() {
		channel, err = c.openChannel(kind, what, stderr)
		select {
		case opened <- struct{}{}:
		case <-ctx.Done():
			if err == nil {
				channel.Close()
			}
		}
	}
	if !c.task(open) {
		return nil, errClosed
	}
	select {
	case <-opened:
		return channel, err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s %.40s: %w", kind, what, context.Cause(ctx))
	}
}

func (c *Client) openChannel(kind, what string, stderr io.Writer) (ssh.Channel, error) {
	channel, requests, err := c.ssh.OpenChannel("session", nil)
	if err != nil {
		return nil, fmt.Errorf("%s %.40s: %w", kind, what, err)
	}
	following := c.task(func() { ssh.DiscardRequests(requests) }) &&
		// What nobody reads fills the channel's window.
		c.task(func() { io.Copy(stderr, channel.Stderr()) })
	if !following {
		channel.Close()
		return nil, errClosed
	}
	ok, err := channel.SendRequest(kind, true, ssh.Marshal(&struct{ What string }{what}))
	if err == nil && !ok {
		err = errRefused
	}
	if err != nil {
		channel.Close()
		return nil, fmt.Errorf("%s %.40s: %w", kind, what, err)
	}
	return channel, nil
}
