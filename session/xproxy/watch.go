package xproxy

import (
	"sync"
	"time"

	"goldm/session/xproxy/mux"
)

// fenceTime is how long what programs are to hear may wait for word of changes. Somebody
// else has the X server for himself then.
const fenceTime = 100 * time.Millisecond

// watch is the near half's own connection with the X server, on which it hears of changes. Between it
// and those of programs there is no order, so before what the X server says to programs goes out,
// fence asks the X server something of its own: with the reply all earlier changes have come.
type watch struct {
	mu      sync.Mutex
	change  sync.Cond
	ask     func() error // asks GetInputFocus; nil before the connection is there and after its end
	asked   uint64       // how often
	heard   uint64       // replies to that
	on      bool         // the far half is told of all changes in time
	grabbed bool         // a program may have the server to itself
	number  uint32       // of the last opUngrab
	changed map[topic]bool
	said    []byte // what comes after changes
	wake    func() // has fence called
	closed  bool
}

func newWatch() *watch {
	w := &watch{changed: make(map[topic]bool)}
	w.change.L = &w.mu
	return w
}

// close ends telling of changes, and waiting. The far half may be there for longer, and has to know.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off()
	w.closed, w.ask = true, nil
	w.change.Broadcast()
	if w.wake != nil {
		w.wake()
	}
}

// maxChanged bounds the topics that are told one by one.
const maxChanged = 300

// note notes that a topic has changed.
func (w *watch) note(t topic) {
	if len(w.changed) >= maxChanged {
		clear(w.changed)
		t = topic{}
	}
	if !w.changed[topic{}] {
		w.changed[t] = true
	}
}

// fence returns what has to be told to the far half before what programs are to hear.
func (w *watch) fence() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on {
		w.settle()
	}
	notice := make([]byte, 0, mux.MaxNotice)
	for t := range w.changed {
		notice = word{opChanged, t}.append(notice)
	}
	clear(w.changed)
	n := min(len(w.said), (mux.MaxNotice-len(notice))/wordSize*wordSize)
	notice = append(notice, w.said[:n]...)
	w.said = w.said[n:]
	return notice
}

// settle waits until all changes so far have come. If they do not, it turns off telling them
// in time.
func (w *watch) settle() {
	mine := w.question()
	late := false
	timer := time.AfterFunc(fenceTime, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		late = true
		w.change.Broadcast()
	})
	defer timer.Stop()
	for w.on && w.heard < mine && !late {
		w.change.Wait()
	}
	if w.on && w.heard < mine {
		w.off()
	}
}

// question asks, and returns which of its kind that is.
func (w *watch) question() uint64 {
	if w.ask != nil && w.ask() != nil {
		w.ask = nil
		w.off()
	}
	w.asked++
	return w.asked
}

func (w *watch) off() {
	if w.on {
		w.on = false
		w.said = word{op: opOff}.append(w.said)
	}
}

// answered notes a reply. When all have come, what there was to wait for is over.
func (w *watch) answered() {
	w.heard++
	if w.heard == w.asked && !w.on && !w.grabbed && w.ask != nil {
		w.on = true
		w.said = word{op: opOn, topic: topic{a: w.number}}.append(w.said)
		w.wake()
	}
	w.change.Broadcast()
}

// take takes a notice of the far half's.
func (w *watch) take(notice []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, said := range words(notice) {
		switch said.op {
		case opGrab:
			w.grabbed, w.on = true, false
			w.change.Broadcast()
		case opUngrab:
			w.grabbed, w.number = false, said.topic.a
			if w.ask != nil {
				w.question() // the reply comes once it is over
			}
		}
	}
}
