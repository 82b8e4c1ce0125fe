package xproxy

import (
	"sync"
	"time"
)

const (
	// maxTopics bounds the topics that are kept apart; maxWatched the replies, in bytes.
	maxTopics  = 4096
	maxWatched = 2 << 20
)

// watched holds replies that are right until something changes. It may be used from several
// goroutines.
//
// The near half tells of each change ahead of all that the X server says after it. So what is kept
// here is what programs could still have been told, as long as they say nothing that changes it
// themselves: until the X server is known to have dealt with that, nobody is answered.
type watched struct {
	notice func([]byte) error // sends one
	last   func() uint64      // number of the last batch with something for a program
	ready  chan struct{}      // closed when the near half has first told of all changes

	mu       sync.Mutex
	on       bool   // the near half tells of changes
	grabs    int    // programs that may have the server to themselves
	number   uint32 // of the last opUngrab
	begin    sync.Once
	keyboard uint32 // number of the core keyboard; 0 as long as that is unknown
	clock    uint64 // counts changes
	told     map[topic]bool
	topics   map[topic]*state
	replies  map[string]kept
	size     int
	seen     map[topic]*seen // of what is fleeting
	came     time.Time       // when the near half was told last that a program does
}

// state is what is known of a topic.
type state struct {
	last     uint64 // when it changed, by watched.clock; 0 for never
	changing int    // programs that have said something that may change it
}

// moment is when a reply was asked for: it is good as long as nothing has changed since.
type moment struct {
	topic topic
	clock uint64
	told  bool // changes were told already
}

type kept struct {
	moment moment
	reply  []byte
}

func newWatched(notice func([]byte) error) *watched {
	return &watched{
		notice: notice, last: func() uint64 { return 0 }, ready: make(chan struct{}),
		told: make(map[topic]bool), topics: make(map[topic]*state), replies: make(map[string]kept), seen: make(map[topic]*seen),
	}
}

// state returns what is known of a topic. Where there are too many, those that come late are one.
func (w *watched) state(t topic) *state {
	s := w.topics[t]
	if s == nil && len(w.topics) >= maxTopics && t != t.wider() {
		return w.state(t.wider())
	}
	if s == nil {
		s = new(state)
		w.topics[t] = s
	}
	return s
}

// now returns the moment at which something is asked about a topic.
func (w *watched) now(t topic) moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return moment{topic: t, clock: w.clock, told: w.tells(t)}
}

// certain reports whether all changes of a topic are told, and none is on the way.
func (w *watched) certain(t topic) bool {
	return w.on && w.tells(t) && w.state(t).changing == 0 && w.state(t.wider()).changing == 0 && w.state(topic{}).changing == 0
}

// changedSince reports whether a topic has changed after a moment.
func (w *watched) changedSince(t topic, m moment) bool {
	return max(w.state(t).last, w.state(t.wider()).last, w.state(topic{}).last) > m.clock
}

// tells reports whether the near half tells of a topic's changes.
func (w *watched) tells(t topic) bool {
	switch t.kind {
	case selections:
		return w.told[t]
	case properties, lists:
		return w.told[topic{kind: properties, a: t.a}]
	}
	return w.told[topic{kind: t.kind}]
}

// get returns what is kept for a key, if a topic has not changed since that was asked for, and is not about
// to; else nil.
func (w *watched) get(key string, t topic) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, known := w.replies[key]
	if !known || !k.moment.told || !w.certain(t) || w.changedSince(t, k.moment) {
		return nil
	}
	return k.reply
}

// put keeps the reply to a request that was asked at a moment. One that is not right any more is only good
// for its question to be asked again.
//
// It may come, and have been asked for, while nothing is told in time: all that changes meanwhile is told ahead of the
// word that it is again.
func (w *watched) put(key string, asked moment, reply []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, known := w.replies[key]
	if !known || old.outdated(w) || !(kept{moment: asked}).outdated(w) && asked.clock >= old.moment.clock {
		w.keep(key, kept{asked, reply})
	}
}

// outdated reports whether what is kept may not be right any more.
func (k kept) outdated(w *watched) bool {
	return !k.moment.told || w.changedSince(k.moment.topic, k.moment)
}

// entry is what is kept for a key.
type entry struct {
	key      string
	reply    []byte
	outdated bool // the topic has changed, or may have
}

// entries returns all that is kept.
func (w *watched) entries() (all []entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, k := range w.replies {
		all = append(all, entry{key, k.reply, k.outdated(w)})
	}
	return all
}

// keep keeps a reply in an older one's place.
func (w *watched) keep(key string, k kept) {
	if old, known := w.replies[key]; known {
		w.size -= len(key) + len(old.reply)
	}
	if w.size+len(key)+len(k.reply) > maxWatched {
		clear(w.replies)
		w.size = 0
	}
	w.size += len(key) + len(k.reply)
	w.replies[key] = k
}

// change says that a program asks for something that may change a topic; changed that the X server has
// dealt with it.
func (w *watched) change(t topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteChange(t, 1)
}

func (w *watched) changed(t topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteChange(t, -1)
}

// noteChange notes that a topic has changed, or may have, and how many more programs are changing it. Lists change with
// properties.
func (w *watched) noteChange(t topic, changing int) {
	w.clock++
	note := func(t topic) {
		s := w.state(t)
		s.last = w.clock
		s.changing += changing
	}
	note(t)
	if t.kind == properties {
		note(topic{kind: lists, a: t.a})
	}
}

// grab says that a program is about to have the server to itself: then the near half cannot hear
// of changes. ungrab says that it has asked for the end of that.
func (w *watched) grab() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.grabs++; w.grabs > 1 {
		return
	}
	w.on = false
	w.forget()
	w.say(word{op: opGrab})
}

func (w *watched) ungrab() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.grabs--; w.grabs > 0 {
		return
	}
	w.number++
	w.say(word{op: opUngrab, topic: topic{a: w.number}})
}

// say drops its error: then the connection has ended, or nothing is answered any more.
func (w *watched) say(what word) {
	if w.notice(what.append(nil)) != nil {
		clear(w.told)
	}
}

// take takes a notice of the near half's, which has come in a batch.
func (w *watched) take(notice []byte, batch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for said, piece := range said(notice) {
		switch said.op {
		case opChanged:
			w.noteChange(said.topic, 0)
		case opWatching:
			w.watching(said.topic)
		case opOn:
			w.on = w.grabs == 0 && said.topic.a == w.number
			w.begin.Do(func() { close(w.ready) })
		case opOff:
			w.on = false
			w.forget()
		case opPiece:
			w.piece(said.topic, piece)
		case opIs:
			w.is(said.topic, batch)
		}
	}
}

func (w *watched) watching(t topic) {
	if t.kind == keys {
		w.keyboard = t.a
		t.a = 0
	}
	if len(w.told) < maxTopics {
		w.told[t] = true
	}
}

// keyboardNumber returns the number of the core keyboard, by which toolkits ask for it.
func (w *watched) keyboardNumber() uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keyboard
}

// coreKeyboard reports whether a device is the core keyboard.
func (w *watched) coreKeyboard(device uint16) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return device == coreKeyboard || device != 0 && uint32(device) == w.keyboard
}
