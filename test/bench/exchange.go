package main

import (
	"bufio"
	"io"
	"sync"
	"time"

	"goldm/internal/x11"
)

// exchange is a conversation of a client and a server that is listened to.
type exchange struct {
	counter *counter
	order   x11.Order

	mu       sync.Mutex
	last     uint16    // the last request's sequence number
	lastSent time.Time // when the last request was passed on
}

const mapWindow = 8 // its opcode

// requests passes requests on until the client has no more. Whether lengths are
// long is known from a request of length zero, which there is for nothing else.
func (x *exchange) requests(from io.Reader, to io.Writer) {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		head, err := in.Peek(4)
		if err != nil {
			return
		}
		if x.order.Uint16(head[2:]) == 0 {
			if head, err = in.Peek(8); err != nil {
				return
			}
		}
		r, ok := x11.ParseRequest(x.order, head, true)
		if !ok || r.Size < 4 {
			return
		}
		x.mu.Lock() // before the answer can come
		x.last++
		x.lastSent = time.Now()
		x.mu.Unlock()
		if r.Major == mapWindow {
			x.counter.windowMapped()
		}
		if _, err := io.CopyN(to, in, r.Size); err != nil {
			return
		}
	}
}

// answers passes on what the server sends. An answer to the last request that
// was sent is one that the client has waited for: it had the time to send more.
func (x *exchange) answers(from io.Reader, to io.Writer) error {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		head, err := in.Peek(x11.AnswerHead)
		if err != nil {
			return err
		}
		kind, sequence := x11.Kind(head), x11.Sequence(x.order, head)
		if kind == x11.Reply || kind == x11.Error {
			x.mu.Lock()
			last, since := sequence == x.last, time.Since(x.lastSent)
			x.mu.Unlock()
			if last {
				x.counter.waited(since)
			}
		}
		if _, err := io.CopyN(to, in, x11.AnswerSize(x.order, head)); err != nil {
			return err
		}
	}
}
