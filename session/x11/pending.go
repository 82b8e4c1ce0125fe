package x11

import "context"

// maxPending bounds the requests of one client whose answers are still to be
// edited. A client that has more outstanding waits, as it would for a server.
const maxPending = 256

// An edit is what to do about the answer to one request.
type edit struct {
	sequence uint16
	list     bool // a reply to ListExtensions, to be shortened
	gives    byte // or a reply with descriptors: the most that it may have

	// Otherwise an error about x11.Unassigned, to be made one about the
	// request that was refused. With gives, major is the request's.
	code, major, minor byte
}

// pending is a queue of edits, in the order of requests, which is the order of
// answers. One goroutine adds, another takes.
type pending struct {
	queue chan edit

	// Of the goroutine that adds: what it waits, or has waited, to add.
	waiting edit
	added   bool

	// Of the goroutine that takes: the first, when it has looked at it.
	head   edit
	looked bool
}

func newPending() *pending { return &pending{queue: make(chan edit, maxPending)} }

// add adds e, or reports false when the queue is full. Then the caller sends
// the requests before this one on, waits, and adds the same again.
func (p *pending) add(e edit) bool {
	if p.added {
		p.added = false
		return true
	}
	select {
	case p.queue <- e:
		return true
	default:
		p.waiting = e
		return false
	}
}

// wait waits until what add did not add is in the queue.
func (p *pending) wait(ctx context.Context) error {
	select {
	case p.queue <- p.waiting:
		p.added = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// first returns the first edit, without taking it.
func (p *pending) first() (edit, bool) {
	if !p.looked {
		select {
		case p.head = <-p.queue:
			p.looked = true
		default:
			return edit{}, false
		}
	}
	return p.head, true
}

// take takes the first edit, which first has returned.
func (p *pending) take() { p.looked = false }
