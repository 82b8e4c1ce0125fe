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
	ask     func([]byte) error // asks; nil before the connection is there and after its end
	asked   uint64             // how many requests
	heard   uint64             // replies and errors
	on      bool               // the far half is told of all changes in time
	grabbed bool               // a program may have the server to itself
	number  uint32             // of the last opUngrab
	changed map[topic]bool
	said    []byte // what comes after changes
	wake    func() // has fence called
	closed  bool

	inquiries inquiries
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

// fence returns what has to be told to the far half before what programs are to hear, of which there are so many bytes.
func (w *watch) fence(data int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.on && w.inquiries.due(data, time.Now())
	if w.on {
		w.settle(all)
	}
	notice := make([]byte, 0, mux.MaxNotice)
	for t := range w.changed {
		notice = word{opChanged, t}.append(notice)
	}
	clear(w.changed)
	n := min(len(w.said), (mux.MaxNotice-len(notice))/wordSize*wordSize)
	notice = append(notice, w.said[:n]...)
	w.said = w.said[n:]
	if all && w.on {
		notice = w.inquiries.tell(notice)
		w.goOn()
	}
	return notice
}

// goOn has the fence called if there is more to tell of what programs ask at their start.
func (w *watch) goOn() {
	if w.on && w.inquiries.partly && w.inquiries.rounds < maxRounds {
		w.wake()
	}
}

// keepFresh has the questions of a start asked again and again, until nothing has started for a while.
func (w *watch) keepFresh() {
	if w.inquiries.fresh || w.wake == nil || w.closed || time.Now().After(w.inquiries.until) {
		return
	}
	w.inquiries.fresh = true
	time.AfterFunc(freshEvery, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.inquiries.fresh = false
		w.wake()
		w.keepFresh()
	})
}

// settle waits until all changes so far have come, and, if it asks all questions, what they are answered. If they do
// not, it turns off telling them in time.
func (w *watch) settle(all bool) {
	mine := w.question(all)
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

// question asks GetInputFocus, or all questions, of which that is the last. It returns how many replies have come when
// its own has.
func (w *watch) question(all bool) uint64 {
	requests, n := inputFocus().request, 1
	if all {
		requests, n = w.inquiries.ask(w.asked, time.Now())
	}
	if w.ask != nil && w.ask(requests) != nil {
		w.ask = nil
		w.off()
	}
	w.asked += uint64(n)
	return w.asked
}

func (w *watch) off() {
	if w.on {
		w.on = false
		w.said = word{op: opOff}.append(w.said)
	}
}

// answered notes a reply; nil for an error. When all have come, what there was to wait for is over.
func (w *watch) answered(reply []byte) {
	w.heard++
	w.inquiries.take(w.heard, reply)
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
		case opComing:
			w.inquiries.until = time.Now().Add(startTime)
			w.goOn()
			w.keepFresh()
		case opUngrab:
			w.grabbed, w.number = false, said.topic.a
			if w.ask != nil {
				w.question(false) // the reply comes once it is over
			}
		}
	}
}
