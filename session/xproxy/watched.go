package xproxy

import "sync"

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
	ready  chan struct{}      // closed when the near half has first told of all changes

	mu       sync.Mutex
	on       bool   // the near half tells of changes
	since    uint64 // how often that has begun or ended
	grabs    int    // programs that may have the server to themselves
	number   uint32 // of the last opUngrab
	begin    sync.Once
	keyboard uint32 // number of the core keyboard; 0 as long as that is unknown
	told     map[topic]bool
	topics   map[topic]*state
	replies  map[string]kept
	size     int
}

// state is what is known of a topic.
type state struct {
	changes  uint64
	changing int // programs that have said something that may change it
}

// moment is when a reply was asked for: it is good as long as nothing has changed since.
type moment struct {
	topic   topic
	since   uint64
	changes [3]uint64 // of the topic and the two wider ones
	ok      bool      // nothing was changing then
}

type kept struct {
	moment moment
	reply  []byte
}

func newWatched(notice func([]byte) error) *watched {
	return &watched{
		notice: notice, ready: make(chan struct{}), told: make(map[topic]bool), topics: make(map[topic]*state), replies: make(map[string]kept),
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
	return w.moment(t)
}

func (w *watched) moment(t topic) moment {
	m := moment{topic: t, since: w.since, ok: w.on && w.tells(t)}
	for i, part := range [3]topic{t, t.wider(), {}} {
		s := w.state(part)
		m.changes[i] = s.changes
		m.ok = m.ok && s.changing == 0
	}
	return m
}

// tells reports whether the near half tells of a topic's changes.
func (w *watched) tells(t topic) bool {
	switch t.kind {
	case selections:
		return w.told[t]
	case properties:
		return w.told[topic{kind: properties, a: t.a}]
	}
	return w.told[topic{kind: t.kind}]
}

// get returns the reply to a request about a topic, but for its sequence number; nil where it is not
// known now.
func (w *watched) get(key string, t topic) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, known := w.replies[key]
	if !known {
		return nil
	}
	now := w.moment(t)
	if now.changes != k.moment.changes {
		w.size -= len(key) + len(k.reply)
		delete(w.replies, key)
		return nil
	}
	if !now.ok {
		return nil
	}
	return k.reply
}

// put keeps the reply to a request that was asked at a moment, if it is still right.
func (w *watched) put(key string, asked moment, reply []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !asked.ok || w.moment(asked.topic) != asked {
		return
	}
	if old, known := w.replies[key]; known {
		w.size -= len(key) + len(old.reply)
	}
	if w.size+len(key)+len(reply) > maxWatched {
		clear(w.replies)
		w.size = 0
	}
	w.size += len(key) + len(reply)
	w.replies[key] = kept{asked, reply}
}

// change says that a program asks for something that may change a topic; changed that the X server has
// dealt with it.
func (w *watched) change(t topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state(t)
	s.changes++
	s.changing++
}

func (w *watched) changed(t topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state(t)
	s.changes++
	s.changing--
}

// grab says that a program is about to have the server to itself: then the near half cannot hear
// of changes. ungrab says that it has asked for the end of that.
func (w *watched) grab() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.grabs++; w.grabs > 1 {
		return
	}
	w.turn(false)
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

func (w *watched) turn(on bool) {
	if w.on != on {
		w.on = on
		w.since++
	}
}

// take takes a notice of the near half's.
func (w *watched) take(notice []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, said := range words(notice) {
		switch said.op {
		case opChanged:
			w.state(said.topic).changes++
		case opWatching:
			w.watching(said.topic)
		case opOn:
			w.turn(w.grabs == 0 && said.topic.a == w.number)
			w.begin.Do(func() { close(w.ready) })
		case opOff:
			w.turn(false)
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
