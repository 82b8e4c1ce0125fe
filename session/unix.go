package session

import (
	"context"
	"errors"
	"fmt"
	"path"

	"golang.org/x/crypto/ssh"
)

// ErrNoSockets is in the chain of ForwardUnix's error where the server forwards no
// Unix sockets.
var ErrNoSockets = errors.New("streamlocal-forward refused")

// UnixForward is a Unix socket on the server whose programs are served here.
type UnixForward struct {
	Path  string // on the server; the socket is made, and removed by nobody
	Limit int    // of programs at a time

	// Serve has one program, on a goroutine of its own, until it returns or the
	// channel is closed. ctx ends with the connection, or where programs that wait hold too much.
	Serve func(ctx context.Context, program ssh.Channel)

	slots chan struct{}
}

// ForwardUnix asks the server to listen on a Unix socket, until the connection ends: OpenSSH's
// PROTOCOL, section 2.4. It blocks as long as the server does not answer.
func (c *Client) ForwardUnix(f UnixForward) error {
	f.slots = make(chan struct{}, f.Limit)
	if err := c.addUnix(&f); err != nil {
		return err
	}
	request := struct{ Path string }{f.Path}
	ok, _, err := c.ssh.SendRequest("streamlocal-forward@openssh.com", true, ssh.Marshal(&request))
	if err != nil {
		return fmt.Errorf("forward %s: %w", f.Path, err)
	}
	if !ok {
		c.mu.Lock()
		delete(c.sockets, f.Path)
		c.mu.Unlock()
		return fmt.Errorf("forward %s: %w", f.Path, ErrNoSockets)
	}
	return nil
}

// addUnix takes a socket's programs from now on: the first may come before the answer.
func (c *Client) addUnix(f *UnixForward) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	if c.sockets == nil {
		c.sockets = make(map[string]*UnixForward)
		opened := c.ssh.HandleChannelOpen("forwarded-streamlocal@openssh.com")
		c.tasks.Go(func() { c.acceptUnix(opened) })
	}
	c.sockets[f.Path] = f
	return nil
}

// acceptUnix carries the programs that the server opens channels for, until the
// connection ends.
func (c *Client) acceptUnix(opened <-chan ssh.NewChannel) {
	for open := range opened {
		f := c.unixForward(open.ExtraData())
		if f == nil {
			open.Reject(ssh.Prohibited, "this socket was not asked for")
			continue
		}
		select {
		case f.slots <- struct{}{}:
		default:
			open.Reject(ssh.ResourceShortage, "too many programs on this socket")
			c.log.Warn("a program is refused: too many are open", "kind", path.Base(f.Path), "most", f.Limit)
			continue
		}
		c.task(func() {
			defer func() { <-f.slots }()
			c.serveUnix(open, f)
		})
	}
}

// unixForward returns the socket that a channel's open message names.
func (c *Client) unixForward(extra []byte) *UnixForward {
	var socket struct{ Path, Reserved string }
	if ssh.Unmarshal(extra, &socket) != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sockets[socket.Path]
}

func (c *Client) serveUnix(open ssh.NewChannel, f *UnixForward) {
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.carry(path.Base(f.Path), channel, requests, cancel, func(channel ssh.Channel) { f.Serve(ctx, channel) })
}
