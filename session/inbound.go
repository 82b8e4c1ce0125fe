package session

import (
	"io"

	"golang.org/x/crypto/ssh"
)

// carry serves a channel that the server has opened, until the server has agreed to its end: what the server sent is kept until
// then, or until it is read. end has serve give up; the stalls' budget calls it where the channels that wait hold too much.
func (c *Client) carry(kind string, channel ssh.Channel, requests <-chan *ssh.Request, end func(), serve func(ssh.Channel)) {
	defer channel.Close()
	ended := make(chan struct{})
	following := c.task(func() {
		defer close(ended)
		ssh.DiscardRequests(requests)
	}) && c.task(func() { discard(channel.Stderr()) }) // which fills the channel's window
	if !following {
		return
	}
	counted := c.stalls.Add(kind, channel, end)
	serve(counted)
	counted.Remove()
	channel.Close()
	discard(channel)
	<-ended
}

// discard reads to the end. Most channels never have anything for it: the buffer is small.
func discard(r io.Reader) {
	var buf [512]byte
	for {
		if _, err := r.Read(buf[:]); err != nil {
			return
		}
	}
}
