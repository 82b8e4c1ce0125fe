package main

import (
	"bufio"
	"io"
	"slices"
	"sync"
	"time"

	"goldm/internal/x11"
)

// exchange is a conversation of a client and a server that is listened to.
type exchange struct {
	counter *counter
	order   x11.Order
	number  int // of the conversation, from 1

	mu       sync.Mutex
	last     int       // the last request's sequence number, which does not wrap here
	lastSent time.Time // when the last request was passed on
	subject  string    // what it asks for
	sent     []string  // requests since the last wait
	named    []named   // questions whose answers tell what something is called
}

// named is a question that says a name.
type named struct {
	sequence uint16
	major    byte
	name     string
}

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
		whole, err := in.Peek(int(min(r.Size, maxSaid)))
		if err != nil {
			return
		}
		x.note(r, whole) // before the answer can come
		if _, err := io.CopyN(to, in, r.Size); err != nil {
			return
		}
	}
}

// note notes that a request is sent, whose beginning there is.
func (x *exchange) note(r x11.Request, whole []byte) {
	subject, name := x.counter.lexicon.subject(x.order, r, whole), x.counter.lexicon.name(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	x.lastSent, x.subject = time.Now(), subject
	x.sent = append(x.sent, name)
	if r.Major == internAtom || r.Major == x11.QueryExtension {
		x.named = append(x.named, named{uint16(x.last), r.Major, subject})
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
		if kind := x11.Kind(head); kind == x11.Reply || kind == x11.Error {
			x.answered(head)
		}
		if _, err := io.CopyN(to, in, x11.AnswerSize(x.order, head)); err != nil {
			return err
		}
	}
}

// answered notes a reply or an error, by its head.
func (x *exchange) answered(head []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	sequence := x11.Sequence(x.order, head)
	at := slices.IndexFunc(x.named, func(n named) bool { return n.sequence == sequence })
	if at >= 0 {
		if n := x.named[at]; x11.Kind(head) == x11.Reply {
			x.counter.lexicon.learn(x.order, n.major, n.name, head)
		}
		x.named = x.named[at+1:] // answers come in order
	}
	if sequence != uint16(x.last) || len(x.sent) == 0 {
		return
	}
	before, request := x.sent[:len(x.sent)-1], x.sent[len(x.sent)-1]
	x.counter.waited(wait{
		conversation: x.number, sequence: x.last, took: time.Since(x.lastSent),
		request: request, subject: x.subject, behind: before,
	})
	x.sent = nil
}
