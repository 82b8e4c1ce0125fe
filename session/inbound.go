package session

import (
	"context"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// slots bounds the channels of one kind that a server may have open at a time.
type slots struct {
	kind string
	free chan struct{}

	mu      sync.Mutex
	refused int // since the log was told
	told    time.Time
}

// refusedEvery is how often the log says that there are too many channels of a kind.
const refusedEvery = 10 * time.Second

func newSlots(kind string, n int) *slots {
	return &slots{kind: kind, free: make(chan struct{}, n)}
}

// accept carries a channel that the server opens, if there is room. serve has ended when its context is done or the
// channel is closed.
func (c *Client) accept(open ssh.NewChannel, s *slots, serve func(context.Context, ssh.Channel)) {
	select {
	case s.free <- struct{}{}:
	default:
		open.Reject(ssh.ResourceShortage, "too many channels of this kind")
		if n := s.refuse(time.Now()); n > 0 {
			c.log.Warn("programs were refused: there are too many", "kind", s.kind, "refused", n, "most", cap(s.free))
		}
		return
	}
	c.task(func() {
		defer func() { <-s.free }()
		c.carry(open, s.kind, serve)
	})
}

// refuse counts a refusal, and returns how many the log is to be told of; 0 while it was told just before.
func (s *slots) refuse(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	if now.Sub(s.told) < refusedEvery {
		return 0
	}
	n := s.refused
	s.refused, s.told = 0, now
	return n
}

// carry serves a channel, until the server has agreed to its end: what the server had sent is kept until then, or
// until it is read.
func (c *Client) carry(open ssh.NewChannel, kind string, serve func(context.Context, ssh.Channel)) {
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	ended := make(chan struct{})
	following := c.task(func() {
		defer close(ended)
		ssh.DiscardRequests(requests)
	}) && c.task(func() { discard(channel.Stderr()) }) // which fills the channel's window
	if !following {
		channel.Close()
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	counted := c.stalls.Add(kind, channel, cancel)
	serve(ctx, counted)
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
