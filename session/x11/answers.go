package x11

import (
	"errors"
	"fmt"

	"goldm/internal/x11"
)

// answers follows the stream of what the X server sends to one client, and
// edits the answers to requests that were edited on the way there. The server
// is trusted: what follows no rule passes as it is.
type answers struct {
	order   x11.Order
	list    list
	pending *pending

	// For a program of this machine alone:
	came  *descriptors // from the X server
	ids   *ids         // the client's, which the setup's answer says
	goes  []int        // descriptors that go out with what was done last
	alone bool         // that goes out by itself, and more can be done
	err   error        // the server's reply makes no sense

	started bool  // the setup's answer has been seen
	refused bool  // and the server did not want us
	body    int64 // bytes still to come of the current message
}

// edit edits data, which goes on where it was done last, in place. It returns
// data, which may have become shorter, and how many bytes at its beginning are
// done; of the rest it needs to see more, at most x11.MaxExtensionList bytes,
// unless alone is set: then what is done goes out first, with the descriptors in
// goes.
func (a *answers) edit(data []byte) (edited []byte, done int) {
	a.goes, a.alone = nil, false
	for {
		n := int(min(a.body, int64(len(data)-done)))
		a.body -= int64(n)
		done += n
		rest := data[done:]
		if !a.started {
			if n = a.setup(rest); n == 0 {
				return data, done
			}
			done += n
			continue
		}
		if len(rest) < x11.AnswerHead {
			return data, done
		}
		if a.came != nil && a.gives(rest) {
			if done == 0 {
				done = a.give(rest)
			}
			a.alone = a.err == nil
			return data, done
		}
		short, ok := a.message(rest)
		if !ok {
			return data, done
		}
		data = data[:done+len(short)]
		done += x11.AnswerHead
	}
}

// fault says what was wrong with an answer, at the end of the connection.
func (a *answers) fault() error {
	if a.refused {
		return errors.New("the X server refused the connection")
	}
	return nil
}

// setup prepares for the body of the setup's answer, and returns the size of
// its head; 0 while it needs to see more of data.
func (a *answers) setup(data []byte) (head int) {
	if len(data) < x11.SetupAnswerHead {
		return 0
	}
	a.refused = data[0] != x11.SetupAccepted
	if a.ids != nil && !a.refused {
		if len(data) < x11.SetupIDs {
			return 0
		}
		a.ids.set(x11.ResourceIDs(a.order, data))
	}
	a.started = true
	a.body = int64(x11.SetupAnswerSize(a.order, data) - x11.SetupAnswerHead)
	return x11.SetupAnswerHead
}

// gives reports whether data begins with a reply that has descriptors.
func (a *answers) gives(data []byte) bool {
	if x11.Kind(data) != x11.Reply {
		return false
	}
	e, ok := a.pending.first()
	return ok && e.gives > 0 && x11.Sequence(a.order, data) == e.sequence
}

// give prepares for the body of a reply that has descriptors, of which it has the
// number in its second byte, and returns the size of its head.
func (a *answers) give(data []byte) (head int) {
	e, _ := a.pending.first()
	n := int(data[1])
	if _, ok := a.came.oldest(n); !ok || n > int(e.gives) {
		a.err = fmt.Errorf("a reply about request %d has %d descriptors, of %d at most", e.major, n, e.gives)
		return 0
	}
	a.pending.take()
	a.goes = a.came.take(n)
	a.body = x11.AnswerSize(a.order, data) - x11.AnswerHead
	return x11.AnswerHead
}

// message edits the message that data begins with and prepares for its body. It
// returns data, which may have become shorter; ok is false while it needs to
// see more.
func (a *answers) message(data []byte) (edited []byte, ok bool) {
	switch x11.Kind(data) {
	case x11.Error:
		a.editError(data)
	case x11.Reply:
		if data, ok = a.editReply(data); !ok {
			return data, false
		}
	}
	a.body = x11.AnswerSize(a.order, data) - x11.AnswerHead
	return data, true
}

// editError puts back what a refused request was, in the error about it.
func (a *answers) editError(data []byte) {
	major, _ := x11.ErrorOpcodes(a.order, data)
	e, ok := a.pending.first()
	if !ok || e.sequence != x11.Sequence(a.order, data) {
		return
	}
	if e.list && major == x11.ListExtensions || e.gives > 0 && major == e.major {
		a.pending.take() // there will be no reply
		return
	}
	if !e.list && e.gives == 0 && major == x11.Unassigned {
		x11.PutError(a.order, data, e.code, e.major, uint16(e.minor))
		a.pending.take()
	}
}

// editReply takes the extensions that are not allowed out of a reply to
// ListExtensions, for which it needs to see the whole of it. What turns out to
// be none is left alone: the reply to a request 65536 before has the same
// sequence number.
func (a *answers) editReply(data []byte) (edited []byte, ok bool) {
	e, ok := a.pending.first()
	if !ok || !e.list || x11.Sequence(a.order, data) != e.sequence {
		return data, true
	}
	size := x11.AnswerSize(a.order, data)
	if size > x11.MaxExtensionList {
		return data, true
	}
	if int64(len(data)) < size {
		return data, false
	}
	short, ok := x11.FilterExtensionList(a.order, data[:size], a.list.has)
	if !ok {
		return data, true
	}
	a.pending.take()
	return append(short, data[size:]...), true
}
