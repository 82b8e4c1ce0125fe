package xproxy

import (
	"bytes"
	"math/bits"
	"time"

	"goldm/internal/x11"
)

// What changes without anybody's being told, the near half tells for some seconds whenever a program
// starts; see inquiries. It has asked after all that the same batch has for programs was read from the X server. So such a reply
// is newer than all that programs have heard until more comes for any of them.
//
// A program is told it once, and nothing older than what the X server has told it itself. Who asks again wants to know what
// has become of it, and may wait for that.

// A core request that asks for what is fleeting (appendix B).
const queryPointer = 38

// The same of extensions.
const (
	xkbGetState   = 4
	xiQueryDevice = 48
)

// Numbers of several devices (XI2proto, section 4).
const (
	allDevices       = 0
	allMasterDevices = 1
)

// coreFleeting are core requests about what is fleeting.
var coreFleeting = map[byte]kind{getWindowAttributes: attributes, queryPointer: pointers, getInputFocus: focuses}

// fleetingTopic returns what a whole request about something fleeting is about; false where that is not asked beforehand.
func (c *constants) fleetingTopic(k kind, o x11.Order, whole []byte) (topic, bool) {
	switch {
	case k == focuses:
		return topic{kind: k}, len(whole) == 4
	case len(whole) != 8:
		return topic{}, false
	case k == states:
		return topic{kind: k}, c.watched.coreKeyboard(o.Uint16(whole[4:]))
	case k == deviceLists:
		device := o.Uint16(whole[4:])
		return topic{kind: k, a: uint32(device)}, device <= allMasterDevices
	}
	root := o.Uint32(whole[4:])
	return topic{kind: k, a: root}, c.server.roots[root]
}

const (
	// freshTime is how long a reply about what is fleeting is good: as late may word of other changes be, see
	// fenceTime.
	freshTime = fenceTime

	// comingEvery is how often the near half is told at most that programs start, or ask what those ask.
	comingEvery = time.Second
)

// seen is what the near half tells of something fleeting.
type seen struct {
	content []byte
	size    int    // of the reply that it begins with; 0 while there is none
	batch   uint64 // in which the near half has said so last
	came    time.Time
}

// piece takes a piece of a reply.
func (w *watched) piece(t topic, piece []byte) {
	at := t.b
	t.b = 0
	s := w.seen[t]
	if s == nil && len(w.seen) >= maxInquiries || !t.fleeting() || at > maxAnswer-pieceSize || at%pieceSize != 0 {
		return
	}
	if s == nil {
		s = new(seen)
		w.seen[t] = s
	}
	s.size = 0
	s.content = patch(s.content, int(at), piece)
}

// is takes word that the pieces are the reply, in a batch.
func (w *watched) is(t topic, batch uint64) {
	size := int(t.b)
	t.b = 0
	s := w.seen[t]
	if s == nil || size < x11.AnswerHead || size > len(s.content) {
		return
	}
	if s.content[0] != x11.Reply || x11.AnswerSize(scoutOrder, s.content) != int64(size) {
		return
	}
	s.size, s.batch, s.came = size, batch, time.Now()
}

// glance returns the reply about something fleeting, in scoutOrder, and the batch that says so; nil where it may be older
// than something that was heard.
func (w *watched) glance(t topic) (reply []byte, batch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.seen[t]
	if s == nil || s.size == 0 || !w.on || s.batch < w.last() || time.Since(s.came) > freshTime {
		return nil, 0
	}
	return bytes.Clone(s.content[:s.size]), s.batch
}

// forget forgets what is fleeting.
func (w *watched) forget() {
	for _, s := range w.seen {
		s.size = 0
	}
}

// coming tells the near half that a program starts, or asks what those ask.
func (w *watched) coming() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.came) >= comingEvery {
		w.came = now
		w.say(word{op: opComing})
	}
}

// view is what a program has said that bears on what is fleeting.
type view struct {
	ours   bool              // it is the far half's own, and waits for the X server itself
	told   map[topic]uint64  // the last batch by which it knows
	waits  map[topic]uint64  // the last request that the X server has to answer
	masks  map[uint32]uint32 // events that it wants to hear of root windows
	masked uint64            // the last request for those
	odd    bool              // they are not certain
	hints  bool              // it may want hints of motion
}

func newView() view {
	return view{told: make(map[topic]uint64), waits: make(map[topic]uint64), masks: make(map[uint32]uint32)}
}

// follow notes what a request says, of which there is the beginning of what follows the head; whole is the request, if it is to
// be seen whole.
func (l *ledger) follow(r x11.Request, body, whole []byte) {
	s, v := l.constants.server, &l.view
	v.hints = v.hints || s.hints(l.order, r, body, whole)
	switch {
	case r.Major != changeWindowAttributes:
	case s.selects(l.order, whole):
		v.masks[l.order.Uint32(whole[4:])] = l.order.Uint32(whole[12:])
		v.masked = l.sequence
	case len(body) < 4 || s.roots[l.order.Uint32(body)]:
		v.odd = true
	}
}

// Core requests by which a program asks for events (appendix B), besides changeWindowAttributes.
const (
	grabPointer             = 26
	grabButton              = 28
	changeActivePointerGrab = 30
)

// hints reports whether a request may ask for hints of motion: a QueryPointer of who does has the X server send the next
// one (section 11, MotionNotify), so it has to pass. XInput's first version has such hints, its second has none;
// of other extensions only MIT-SCREEN-SAVER has requests that ask for core events (SetAttributes).
func (s *server) hints(o x11.Order, r x11.Request, body, whole []byte) bool {
	const hint, saverSetAttributes, firstOfXI2 = 1 << 7, 3, 40
	switch r.Major {
	case createWindow:
		return asksForHints(o, whole, 28)
	case changeWindowAttributes:
		return asksForHints(o, whole, 8)
	case grabPointer, grabButton:
		return len(body) < 6 || o.Uint16(body[4:])&hint != 0
	case changeActivePointerGrab:
		return true
	case s.xi:
		return r.Minor < firstOfXI2 && s.class(r) != introduction
	case s.majors["MIT-SCREEN-SAVER"]:
		return r.Minor == saverSetAttributes
	}
	return r.Major >= x11.FirstExtension && s.classes[r.Major] == nil
}

// asksForHints reads the values of a window's attributes, whose mask is at a place in a whole request.
func asksForHints(o x11.Order, whole []byte, at int) bool {
	const hint = 1 << 7
	if len(whole) < at+4 {
		return true // it was not to be seen
	}
	values := o.Uint32(whole[at:])
	if values&eventMaskOnly == 0 {
		return false
	}
	at += 4 + 4*bits.OnesCount32(values&(eventMaskOnly-1))
	return len(whole) < at+4 || o.Uint32(whole[at:])&hint != 0
}

// glance returns the reply to a request about something fleeting; nil where there is none for this program. quiet says that all that
// it has said before has been dealt with, or cannot fail.
func (l *ledger) glance(t topic, quiet bool) []byte {
	w := l.constants.watched
	l.view.waits[t] = l.sequence
	if !quiet || l.order != scoutOrder || l.view.ours || !l.unchanged(t) {
		return nil
	}
	reply, batch := w.glance(t)
	if reply == nil || batch <= l.view.told[t] {
		w.coming()
		return nil
	}
	if !l.fitsVersion(t, reply) || t.kind == attributes && !l.putMask(t.a, reply) {
		return nil
	}
	l.view.told[t] = batch
	delete(l.view.waits, t)
	return reply
}

// heardItself notes that the X server has answered requests up to one.
func (l *ledger) heardItself(sequence uint64) {
	for t, request := range l.view.waits {
		if request <= sequence {
			l.view.told[t] = l.constants.watched.last()
			delete(l.view.waits, t)
		}
	}
}

// unchanged reports whether nothing that the program has said, and that the X server may not have dealt with, makes a difference
// to a reply.
//
// Requests that pass without a wait change nothing of this, but for what it wants to hear of root windows. But of GetInputFocus
// programs expect more: that all events have come that were on their way when the X server saw it. Between two
// programs' streams there is no order, so one that has been told by another of an event might ask for it too early. So it is
// answered only to who has said nothing that may bring on events; as who opens a display to look something up.
func (l *ledger) unchanged(t topic) bool {
	switch t.kind {
	case pointers:
		return !l.view.hints
	case attributes:
		return !l.view.odd && l.heard >= l.view.masked
	case focuses:
		return !l.selects
	}
	return true
}

// putMask puts the events that the program wants to hear of a root window into the reply to GetWindowAttributes, where those of
// the near half are.
func (l *ledger) putMask(root uint32, reply []byte) bool {
	const yourEventMask = 36
	if len(reply) < yourEventMask+4 {
		return false
	}
	l.order.PutUint32(reply[yourEventMask:], l.view.masks[root])
	return true
}

// fitsVersion reports whether a reply is the same to what the program has said to the extension first. XkbGetState is an error for who
// has said nothing, and X.Org lists what it calls gestures only for who knows XInput 2.4 (Xi/xiquerydevice.c,
// ShouldListGestureInfo), as which the near half asks. RRGetScreenResourcesCurrent does not hang on versions
// (randr/rrscreen.c, rrGetScreenResources).
func (l *ledger) fitsVersion(t topic, reply []byte) bool {
	switch t.kind {
	case states:
		return l.introduced(l.constants.server.xkb) == "\x01\x00\x00\x00"
	case deviceLists:
		said := []byte(l.introduced(l.constants.server.xi))
		if len(said) != 4 || l.order.Uint16(said) != 2 {
			return false
		}
		minor := l.order.Uint16(said[2:])
		return minor == 4 || minor < 4 && !listsGestures(reply)
	}
	return true
}

// introduced returns what the program has said first to an extension, behind the head; "" where that is not certain, or was
// too short or too long, and so is an error.
func (l *ledger) introduced(major byte) string {
	const order, head = 1, 4 // before the request, and its head
	key := l.greetings[major]
	if len(key) < order+head || len(key)-order != 4*int(l.order.Uint16([]byte(key[order+2:]))) {
		return ""
	}
	return key[order+head:]
}

// listsGestures reports whether the reply to an XIQueryDevice has a class of devices that came after touch screens, or cannot be read.
func listsGestures(reply []byte) bool {
	const touch = 8
	found := false
	whole := readDevices(reply, func(uint16) {}, func(class uint16) { found = found || class > touch })
	return found || !whole
}
