package xproxy

import (
	"bytes"
	"errors"

	"goldm/internal/x11"
)

const (
	// maxExpected bounds the replies of one program that something is to be done about.
	maxExpected = 256

	// farBehind is how far the server may be behind before nothing is answered
	// here. Sequence numbers are told in 16 bits: beyond tooFar it is no longer certain which is meant.
	farBehind = 1 << 14
	tooFar    = 1<<16 - 1<<10
)

var errSurprise = errors.New("the X server does not answer as it did before")

// expected is what to do about the reply to a request.
type expected struct {
	sequence uint64
	key      string
	major    byte
	given    []byte // the reply was given already: drop it, if it is this one
	silent   bool   // there is no reply
	fails    bool   // it brings an error, always
	asked    moment // of a request about what is watched
}

// ledger knows which requests of a program the X server has dealt with, and so when one
// can be answered here: when nothing before it can still bring a reply or an error, and
// all that may change what events mean is done.
//
// Sequence numbers here do not wrap. It is not for use from several goroutines at once.
type ledger struct {
	order     x11.Order
	constants *constants

	accepted  bool // the server has accepted the connection
	lost      bool // it is not certain any more which request an answer is about: nothing is answered
	makes     bool // a request went by that may have made something
	own       belongings
	selects   bool             // a request went by that may have brought on events
	greetings map[byte]string  // what the program has introduced itself as to extensions; empty for different things
	said      map[[2]byte]bool // introductions and silent requests, by opcodes

	sequence uint64 // of the last request
	heard    uint64 // of the last answer or event
	settled  uint64 // requests up to this one have had their replies and errors
	heavy    uint64 // the last request that the server has to deal with itself
	single   bool   // it has at most one reply or error
	given    uint64 // the last request that was answered here
	expected []expected

	changes  map[topic]uint64 // the last requests that may change something, as long as the server may not have dealt with them
	grabbing bool             // the program may have the server to itself
	owns     bool             // it may have a selection
	leaving  bool             // it says no more
	view     view

	answered int // requests
}

func newLedger(o x11.Order, c *constants) ledger {
	return ledger{
		order: o, constants: c, own: newBelongings(c.touched),
		said: make(map[[2]byte]bool), greetings: make(map[byte]string), changes: make(map[topic]uint64), view: newView(),
	}
}

// quiet reports whether a request can be answered here, now.
func (l *ledger) quiet() bool {
	return l.accepted && !l.lost && l.settled >= l.heavy &&
		l.sequence-l.heard < farBehind && len(l.expected) < maxExpected
}

// verdict says what becomes of a request.
type verdict byte

const (
	pass   verdict = iota // to the server
	answer                // it is answered here, and passes
	drop                  // it is answered here, and NoOperation passes
)

// request notes a program's next request, of which those that are more than plain, and CreateWindow, are whole, if
// they are short; of the others there are the first bytes after the head. It returns the reply where
// there is one to be given here.
func (l *ledger) request(r x11.Request, whole, body []byte) (verdict, []byte) {
	c := l.constants.server.class(r)
	fails := whole != nil && aboutNone(l.order, r, whole)
	if fails {
		c = constant
	}
	quiet := l.quiet()
	l.sequence++
	if l.sequence-l.heard > tooFar {
		l.lost = true
	}
	defer l.note(r, c)
	defer l.own.note(l.order, r, body, l.sequence, l.constants.server.roots)
	l.noteChanges(r, body, whole)
	l.follow(r, body, whole)
	e := expected{sequence: l.sequence, major: r.Major, silent: c == silent, fails: fails}
	if whole != nil {
		e.key = l.constants.server.key(l.order, r, whole)
	}
	first := l.first(r, c)
	e.key = l.greeted(r, c, e.key, first)
	switch {
	case c == silent && whole != nil && l.sure(r, whole, e.key, first):
		return pass, nil
	case c == current:
		l.ask(&e, r, whole)
	}
	if reply := l.known(e, r, c, quiet); reply != nil {
		return l.give(c, e.key, reply)
	}
	l.heavy, l.single = l.sequence, c != barrier
	if e.key != "" && !l.lost && len(l.expected) < maxExpected {
		l.expected = append(l.expected, e)
	}
	return pass, nil
}

// sure reports whether a silent request cannot fail.
func (l *ledger) sure(r x11.Request, whole []byte, key string, first bool) bool {
	switch {
	case r.Major == createGC:
		ok := !l.makes && l.constants.server.makesFirst(l.order, whole, l.own.ids)
		if ok {
			l.own.gc = l.order.Uint32(whole[4:])
		}
		return ok
	case r.Major == freeGC:
		return r.Size == 8 && l.own.context(l.order.Uint32(whole[4:]))
	case r.Major == l.constants.server.xfixes:
		return l.hearsSelection(whole)
	}
	return l.constants.sure(l.order, r, whole, key, first)
}

// hearsSelection reports whether a whole SelectSelectionInput of XFIXES cannot fail, nor take back anything (fixesproto,
// section 5): the program has said which version it speaks, and the window is there.
func (l *ledger) hearsSelection(whole []byte) bool {
	const all = 7 // SetSelectionOwner, SelectionWindowDestroy, SelectionClientClose
	version := []byte(l.introduced(l.constants.server.xfixes))
	if len(whole) != 16 || len(version) != 8 || l.order.Uint32(version) == 0 {
		return false
	}
	window, selection := l.order.Uint32(whole[4:]), l.order.Uint32(whole[8:])
	exists := l.constants.server.roots[window] || l.own.window(window, l.settled)
	return l.own.hearsFirst(window, selection) && exists && l.constants.isAtom(selection) && l.order.Uint32(whole[12:])&^all == 0
}

// greeted returns the key of a request to an extension, with what the program has introduced itself as there:
// what the server says may hang on that. Where that was two different things nothing is known.
func (l *ledger) greeted(r x11.Request, c class, key string, first bool) string {
	said, some := l.greetings[r.Major]
	switch {
	case r.Major < x11.FirstExtension || l.constants.server.aboutProperties(r):
	case c != introduction && key != "" && some && said == "":
		return ""
	case c != introduction && key != "":
		return key + said
	case c != introduction || l.constants.server.greetings[r.Major][r.Minor].again:
	case first:
		l.greetings[r.Major] = key
	case key != said:
		l.greetings[r.Major] = ""
		return ""
	}
	return key
}

// ask prepares for a reply about what is watched, if the request is about that.
func (l *ledger) ask(e *expected, r x11.Request, whole []byte) {
	topic, ok := l.constants.topic(l.order, r, whole)
	switch {
	case !ok:
		e.key = ""
		return
	case topic.fleeting():
		e.key, e.asked.topic = "", topic // it is not kept
		return
	}
	e.asked = l.constants.watched.now(topic)
}

// known returns what the reply to a request is known to be; nil for nothing. quiet says that nothing before it is
// waited for.
func (l *ledger) known(e expected, r x11.Request, c class, quiet bool) []byte {
	switch {
	case e.asked.topic.fleeting():
		return l.glance(e.asked.topic, quiet)
	case e.key == "" || !quiet || !l.fits(r, c) || c == silent:
		return nil
	case c == current:
		return l.constants.current(e.key, e.asked.topic)
	}
	reply := l.constants.get(e.key)
	if c >= allocation && len(reply) != x11.AnswerHead {
		return nil
	}
	return reply
}

// maxChanges is how many topics that a program may be changing are kept apart.
const maxChanges = 64

// noteChanges notes what a request may change, and whether it is about having the server to itself.
func (l *ledger) noteChanges(r x11.Request, body, whole []byte) {
	switch {
	case r.Major == grabServer && !l.grabbing:
		l.grabbing = true
		l.constants.watched.grab()
	case r.Major == ungrabServer && l.grabbing:
		l.grabbing = false
		l.constants.watched.ungrab()
	}
	l.owns = l.owns || r.Major == setSelectionOwner
	for _, t := range l.constants.changedBy(l.order, r, body, whole) {
		if t != (topic{kind: selections}) || l.owns { // of others' windows the near half tells soon enough
			l.change(t)
		}
	}
}

func (l *ledger) change(t topic) {
	if _, known := l.changes[t]; !known && len(l.changes) >= maxChanges {
		t = topic{}
	}
	if _, known := l.changes[t]; !known {
		l.constants.watched.change(t)
	}
	l.changes[t] = l.sequence
}

// dealtWith notes that the server has dealt with all requests up to one.
func (l *ledger) dealtWith(sequence uint64) {
	for t, last := range l.changes {
		if last <= sequence {
			delete(l.changes, t)
			l.constants.watched.changed(t)
		}
	}
}

// leave notes that the program says no more: the server gives up what it had. left notes
// that it has.
func (l *ledger) leave() {
	if l.owns {
		l.change(topic{kind: selections})
	}
	l.leaving = true
}

func (l *ledger) left() {
	l.leaving = false
	l.dealtWith(l.sequence)
	if l.grabbing {
		l.grabbing = false
		l.constants.watched.ungrab()
	}
}

// give answers the last request.
func (l *ledger) give(c class, key string, known []byte) (verdict, []byte) {
	reply := bytes.Clone(known)
	l.order.PutUint16(reply[2:], uint16(l.sequence))
	l.given = l.sequence
	l.answered++
	if c < allocation {
		return drop, reply
	}
	l.expected = append(l.expected, expected{sequence: l.sequence, key: key, given: reply})
	return answer, reply
}

// first notes an introduction or a silent request, and reports whether it is the program's first.
func (l *ledger) first(r x11.Request, c class) bool {
	if c != introduction && c != silent {
		return false
	}
	opcodes := [2]byte{r.Major, r.Minor}
	if r.Major < x11.FirstExtension {
		opcodes[1] = 0 // not part of the opcode
	}
	before := l.said[opcodes]
	l.said[opcodes] = true
	return !before
}

// fits reports whether an event that comes after the answer may have been made before
// the server has seen the request: all may, but for those that the request changes.
// XKEYBOARD's first request changes what key events say.
func (l *ledger) fits(r x11.Request, c class) bool {
	return c != introduction || r.Major != l.constants.server.xkb || !l.selects
}

// note notes whether a request may make something, or bring on events.
func (l *ledger) note(r x11.Request, c class) {
	if c < current && r.Major != getInputFocus && r.Major != grabServer && r.Major != ungrabServer {
		l.makes = true
	}
	switch {
	case c >= current:
	case r.Major == createGC || r.Major == freeGC || r.Major == getInputFocus || r.Major == grabServer ||
		r.Major == ungrabServer || r.Major == x11.NoOperation:
	default:
		l.selects = true
	}
}

// message notes what the server sends next, by its first x11.AnswerHead bytes, which may change. It
// reports whether the message is to be dropped, and what its whole is to be kept as, if that.
func (l *ledger) message(head []byte) (dropped bool, keep *expected, err error) {
	kind := x11.Kind(head)
	if kind == x11.KeymapNotify {
		return false, nil, nil
	}
	sequence := l.heard + uint64(x11.Sequence(l.order, head)-uint16(l.heard))
	if sequence > l.sequence {
		l.lost = true // it is about a request that there was not
		return false, nil, l.surprise()
	}
	l.heard = sequence
	l.heardItself(sequence)
	if len(l.changes) > 0 && !l.leaving {
		l.dealtWith(sequence)
	}
	l.settled = max(l.settled, max(sequence, 1)-1)
	if kind != x11.Reply && kind != x11.Error {
		if sequence < l.given {
			// Nothing between the two made a difference to events.
			l.order.PutUint16(head[2:], uint16(l.given))
		}
		return false, nil, l.overdue(sequence)
	}
	if sequence == l.heavy && l.single {
		l.settled = sequence
	}
	if kind == x11.Error {
		l.own.failed(sequence)
	}
	if err := l.overdue(sequence); err != nil {
		return false, nil, err
	}
	return l.awaited(sequence, head)
}

// awaited is message for a reply or an error, if there is something to be done about it.
func (l *ledger) awaited(sequence uint64, head []byte) (dropped bool, keep *expected, err error) {
	if len(l.expected) == 0 || l.expected[0].sequence != sequence {
		if sequence < l.given {
			return false, nil, errSurprise
		}
		return false, nil, nil
	}
	e := l.expected[0]
	l.expected = l.expected[1:]
	switch {
	case e.given != nil && !bytes.Equal(e.given, head):
		return false, nil, errSurprise
	case e.given != nil:
		return true, nil, nil
	case (x11.Kind(head) == x11.Reply || e.fails) && !e.silent && keeps(l.order, e.major, head) && x11.AnswerSize(l.order, head) <= maxKept:
		keep = &e
	}
	return false, keep, nil
}

// keep keeps a whole reply.
func (l *ledger) keep(e *expected, reply []byte) {
	if e.asked.topic != (topic{}) {
		l.constants.putCurrent(e.key, e.asked, reply)
		return
	}
	l.constants.put(e.key, reply)
}

// overdue drops what was expected before the answer that has come. A reply that was given
// must have come itself by then; a silent request has not failed.
func (l *ledger) overdue(sequence uint64) error {
	for len(l.expected) > 0 && l.expected[0].sequence < sequence {
		e := l.expected[0]
		if e.given != nil {
			return errSurprise
		}
		if e.silent {
			l.constants.put(e.key, []byte{})
		}
		l.expected = l.expected[1:]
	}
	return nil
}

// surprise is the error of an answer that cannot be placed: one if some reply is still to
// be dropped.
func (l *ledger) surprise() error {
	for _, e := range l.expected {
		if e.given != nil {
			return errSurprise
		}
	}
	return nil
}
