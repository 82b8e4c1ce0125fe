package x11

import (
	"errors"
	"fmt"

	"goldm/internal/x11"
)

var (
	// errFull reports that a request cannot be refused before an earlier refusal
	// has been answered.
	errFull = errors.New("too many refused requests outstanding")

	// errAlone reports that what is done goes out by itself: the next request, or
	// this one, has descriptors, which belong to its first byte.
	errAlone = errors.New("a request has descriptors")
)

// requests follows the stream of a client's requests and takes out what the
// policy refuses, without changing any request's length or place:
//
//   - A request that is refused gets the opcode x11.Unassigned, so that the X
//     server itself answers BadRequest, in its turn and with the right sequence
//     number; answers puts the true opcodes back.
//   - The name in a QueryExtension that is refused is overwritten by NULs, so
//     that the server answers that there is no such extension.
//
// The stream must be framed exactly as the server frames it, or a client could
// hide a request within another; what is not certain ends the connection.
type requests struct {
	order   x11.Order
	policy  *policy
	pending *pending
	report  func(request x11.Request, rule string) // of what is refused

	// Of a program of this machine alone:
	came *descriptors // from the client
	ids  *ids         // the client's own
	goes []int        // descriptors that go out with what was done last

	sequence uint16 // of the request that was framed last
	big      bool   // the client has enabled BIG-REQUESTS
	body     int64  // bytes still to come of that request
	blank    bool   // they are to be overwritten
}

// edit edits data, which goes on where it was done last, in place. It returns
// how many bytes at its beginning are done; of the rest it needs to see more. At
// errFull, what is done goes out and pending.wait comes before the next edit. At
// errAlone what is done goes out, with the descriptors in goes.
func (r *requests) edit(data []byte) (done int, err error) {
	r.goes = nil
	for {
		done += r.passBody(data[done:])
		request, ok := x11.ParseRequest(r.order, data[done:], r.big)
		if !ok {
			return done, nil
		}
		if err := r.check(request); err != nil {
			return done, err
		}
		if r.came != nil && r.policy.takes(request) {
			if done > 0 {
				return done, errAlone
			}
			return r.beginTaking(request, data)
		}
		n, err := r.begin(request, data[done:])
		if n == 0 || err != nil {
			return done, err
		}
		done += n
	}
}

// passBody passes what data has of the current request's body, edited.
func (r *requests) passBody(data []byte) int {
	n := int(min(r.body, int64(len(data))))
	if r.blank {
		clear(data[:n])
	}
	r.body -= int64(n)
	return n
}

// check reports requests whose end is not certain.
func (r *requests) check(request x11.Request) error {
	switch {
	case request.Size < int64(request.Head):
		// The server would take 0 without BIG-REQUESTS for 4 bytes, and
		// close on an extended length that does not cover itself.
		return fmt.Errorf("request %d/%d has a length of %d bytes", request.Major, request.Minor, request.Size)
	case request.Size > max(r.policy.maxRequest, x11.MaxRequest):
		// The server would skip it, by rules that are its own affair.
		return fmt.Errorf("request %d/%d has %d bytes: the server's limit is %d",
			request.Major, request.Minor, request.Size, r.policy.maxRequest)
	}
	return nil
}

// begin edits the head of the request that data begins with, prepares for the
// rest, and returns how long the head is; 0 while it needs to see more of data.
func (r *requests) begin(request x11.Request, data []byte) (head int, err error) {
	head = request.Head
	hide := false
	switch r.policy.duties[request.Major] {
	case pass:
	case share:
		return r.beginSharing(request, data)
	case bigReq:
		// Bad in any other form, in which case the server does not enable it.
		r.big = r.big || request.Minor == x11.BigReqEnable && request.Size == 4
	case askName:
		head, hide = r.hides(request, data)
	case askNames:
		err = r.remember(edit{list: true})
	default:
		err = r.refuse(request, data)
	}
	if head == 0 || err != nil {
		return 0, err
	}
	r.sequence++
	r.body, r.blank = request.Size-int64(head), hide
	return head, nil
}

// remember queues what is to be done about the next request's answer.
func (r *requests) remember(e edit) error {
	e.sequence = r.sequence + 1
	if !r.pending.add(e) {
		return errFull
	}
	return nil
}

// refuse makes the request that data begins with one that the server refuses,
// if the policy does.
func (r *requests) refuse(request x11.Request, data []byte) error {
	code, rule := r.policy.errorFor(request)
	if rule == "" {
		return nil
	}
	return r.refuseBy(request, data, code, rule)
}

// refuseBy makes the request that data begins with one that the server refuses.
func (r *requests) refuseBy(request x11.Request, data []byte, code byte, rule string) error {
	err := r.remember(edit{code: code, major: request.Major, minor: request.Minor})
	if err != nil {
		return err
	}
	data[0] = x11.Unassigned
	r.report(request, rule)
	return nil
}

// hides reports whether the name in a QueryExtension is to be overwritten,
// because it is not allowed or the request is malformed, and what head comes
// before the bytes in question; 0 while data is too short to tell.
func (r *requests) hides(request x11.Request, data []byte) (head int, hide bool) {
	name := request.Head + 4 // the name's length, padding
	if request.Size < int64(name) {
		return request.Head, false // there is no name
	}
	if len(data) < name {
		return 0, false
	}
	length := int(r.order.Uint16(data[request.Head:]))
	if length > maxAllowedName || request.Size != int64(name+x11.Pad(length)) {
		return name, true
	}
	if len(data) < name+length {
		return 0, false
	}
	return name, !r.policy.list.has(string(data[name : name+length]))
}
