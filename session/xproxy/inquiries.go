package xproxy

import (
	"bytes"
	"slices"
	"time"

	"goldm/internal/x11"
	"goldm/session/xproxy/mux"
)

// Some of what toolkits ask at their start changes without anybody's being told. While programs start
// the near half asks that itself, on its own connection, ahead of what goes out to programs, and tells
// the far half: what that batch has for programs was read before, and so is older than the answers.
//
// The far half says only that a program starts. Which questions there are is decided here: this connection is not
// held to the policy of session/x11.

// inquiry is one question that the near half asks.
type inquiry struct {
	topic   topic
	request []byte
	reply   []byte // the last, without its sequence number; nil where that was an error, or too long
	told    []byte // what the far half has of replies
}

// inquiries are those that the near half asks. The last one has to be GetInputFocus, which the fence waits for.
type inquiries struct {
	all     []inquiry
	until   time.Time // they are asked up to then
	last    time.Time // when they were asked last
	before  uint64    // how many replies there were to come, since the beginning, before theirs
	partly  bool      // the far half has not been told all of the last replies
	rounds  int       // how often they were asked for that alone, one after the other
	pending bool      // they are not all answered yet
	fresh   bool      // a timer runs that has them asked again
}

const (
	// startTime is how long a program's start may take. In that time, after the far half's word, questions are asked.
	startTime = 5 * time.Second

	// shortBatch is how much a batch has, in bytes, that the questions are asked ahead of in any case. A start is
	// a matter of short ones, with a round trip between. Ahead of longer ones, as of pictures that somebody reads back, they are asked
	// every askEvery.
	shortBatch = 2 << 10
	askEvery   = 2 * time.Millisecond

	// freshEvery is after how long without anything for programs they are asked again: a program may be busy with
	// something else between two questions, for longer than an answer is good for (freshTime).
	freshEvery = 70 * time.Millisecond

	// maxAnswer bounds a reply that is told, in bytes, and maxInquiries how many there are.
	maxAnswer    = 16 << 10
	maxInquiries = 32

	// pieceSize is that of the pieces in which replies are told, in bytes: of a long one that hardly changes, such as
	// XIQueryDevice's while the pointer moves, only a few go out.
	pieceSize = 64

	// maxRounds bounds how many notices in a row tell only what the ones before had no room for.
	maxRounds = 16
)

// due reports whether the questions are to be asked ahead of a batch with so many bytes for programs; where there
// are none, it is to tell what there was no room for, or because it was long ago.
func (q *inquiries) due(data int, now time.Time) bool {
	if len(q.all) == 0 || now.After(q.until) || q.pending {
		return false
	}
	if data > 0 {
		q.rounds = 0
		return data <= shortBatch || now.Sub(q.last) >= askEvery
	}
	if now.Sub(q.last) >= freshEvery {
		q.rounds = 0
		return true
	}
	if q.partly {
		q.rounds++
	}
	return q.partly && q.rounds <= maxRounds
}

// ask returns the requests, and how many there are. So many replies are still to come, or have, before theirs.
func (q *inquiries) ask(before uint64, now time.Time) (requests []byte, n int) {
	q.before, q.last, q.pending = before, now, true
	for _, one := range q.all {
		requests = append(requests, one.request...)
	}
	return requests, len(q.all)
}

// take takes the reply of a number, counted from the beginning; nil for an error.
func (q *inquiries) take(number uint64, reply []byte) {
	if !q.pending || number <= q.before {
		return
	}
	i := int(number - q.before - 1)
	if reply != nil {
		scoutOrder.PutUint16(reply[2:], 0)
	}
	if len(reply) > maxAnswer {
		reply = nil
	}
	q.all[i].reply = reply
	q.pending = i < len(q.all)-1
}

// tell appends to a notice what the replies are, as far as there is room. What cannot be answered is not asked again.
func (q *inquiries) tell(notice []byte) []byte {
	q.all = slices.DeleteFunc(q.all, func(one inquiry) bool { return one.reply == nil })
	q.partly = false
	for i := range q.all {
		var whole bool
		notice, whole = q.all[i].tell(notice)
		q.partly = q.partly || !whole
	}
	return notice
}

// tell appends those pieces of the reply that the far half does not have, and then that this is the reply.
func (one *inquiry) tell(notice []byte) (_ []byte, whole bool) {
	t := one.topic
	for at := 0; at < len(one.reply); at += pieceSize {
		piece := make([]byte, pieceSize)
		copy(piece, one.reply[at:])
		if at < len(one.told) && bytes.Equal(piece, one.told[at:at+pieceSize]) {
			continue
		}
		if len(notice)+wordSize+pieceSize > mux.MaxNotice {
			return notice, false
		}
		t.b = uint32(at)
		notice = append(word{opPiece, t}.append(notice), piece...)
		one.told = patch(one.told, at, piece)
	}
	if len(notice)+wordSize > mux.MaxNotice {
		return notice, false
	}
	t.b = uint32(len(one.reply))
	return word{opIs, t}.append(notice), true
}

// patch puts a piece into b at a place, and makes it longer if that has to be.
func patch(b []byte, at int, piece []byte) []byte {
	if more := at + len(piece) - len(b); more > 0 {
		b = append(b, make([]byte, more)...)
	}
	copy(b[at:], piece)
	return b
}

// appendInquiry adds a question that is asked from now on, if there are not too many.
func (h *hearing) appendInquiry(t topic, request []byte) {
	if len(h.inquiries) < maxInquiries-1 { // the last one is GetInputFocus
		h.inquiries = append(h.inquiries, inquiry{topic: t, request: request})
	}
}

// inputFocus is the question that the fence asks.
func inputFocus() inquiry {
	return inquiry{topic: topic{kind: focuses}, request: x11.AppendRequest(nil, scoutOrder, getInputFocus, 0)}
}
