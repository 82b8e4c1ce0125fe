package wrap

import (
	"bytes"
	"errors"
	"io"
	"time"

	"goldm/internal/tagged"
)

// queueLength is how many writes an outlet holds back.
const queueLength = 64

var errFull = errors.New("the other end does not read")

// outlet is a writer that never waits. When the network is gone, pipes to sshd
// fill up; the session has to end all the same.
type outlet struct {
	queue  chan []byte
	broken chan struct{} // closed once a write went wrong
	done   chan struct{}
}

func newOutlet(w io.Writer) *outlet {
	o := &outlet{
		queue:  make(chan []byte, queueLength),
		broken: make(chan struct{}),
		done:   make(chan struct{}),
	}
	go o.run(w)
	return o
}

func (o *outlet) run(w io.Writer) {
	defer close(o.done)
	for p := range o.queue {
		if _, err := w.Write(p); err != nil {
			close(o.broken)
			for range o.queue { // nobody is to wait for us
			}
			return
		}
	}
}

// Write queues p, or drops it where the queue is full.
func (o *outlet) Write(p []byte) (int, error) {
	select {
	case o.queue <- bytes.Clone(p):
		return len(p), nil
	default:
		return 0, errFull
	}
}

// close waits until all is written, at most for limit. Then the goroutine hangs
// in a write that only the end of the program ends. No Write may follow.
func (o *outlet) close(limit time.Duration) {
	close(o.queue)
	select {
	case <-o.done:
	case <-time.After(limit):
	}
}

func isBadMessage(err error) bool {
	_, bad := errors.AsType[*tagged.BadMessage](err)
	return bad
}
