package xproxy

import (
	"sync"

	"goldm/internal/x11"
)

const (
	// maxOwn bounds the windows of a program that are kept in mind: toolkits make those that others are told by first.
	maxOwn = 64

	// maxTouched bounds the numbers that programs have named of others'.
	maxTouched = 4096
)

// belongings are what a program has made, and is certainly still there.
type belongings struct {
	ids     ids
	windows map[uint32]uint64  // by number, the request that makes it: children of a root window
	hears   map[[2]uint32]bool // by window and selection, whether something was said about that
	gc      uint32             // made by a request that cannot fail; 0 for none
	touched *touched
	since   uint64 // how often others may have touched anything before
}

func newBelongings(t *touched) belongings {
	return belongings{windows: make(map[uint32]uint64), hears: make(map[[2]uint32]bool), touched: t, since: t.now()}
}

// touched is what programs have asked to be destroyed that is not theirs, or to be put where it goes with something else.
// It may be used from several goroutines.
type touched struct {
	mu   sync.Mutex
	ids  map[uint32]bool
	more uint64 // how often it was anything
}

func (t *touched) add(id uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) >= maxTouched || id == 0 {
		t.more++
		clear(t.ids)
		return
	}
	t.ids[id] = true
}

func (t *touched) has(id uint32, since uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.more != since || t.ids[id]
}

func (t *touched) now() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.more
}

// ids are the numbers that a program may give to what it makes (section 8, Connection Setup).
type ids struct{ base, mask uint32 }

func (i ids) has(id uint32) bool { return i.mask != 0 && id&^i.mask == i.base }

// note notes what a request makes or destroys, by the beginning of what follows its head.
func (b *belongings) note(o x11.Order, r x11.Request, body []byte, sequence uint64, roots map[uint32]bool) {
	var id uint32
	if len(body) >= 4 {
		id = o.Uint32(body)
	}
	switch r.Major {
	case createWindow:
		if b.ids.has(id) && len(body) >= headOfChange && roots[o.Uint32(body[4:])] && len(b.windows) < maxOwn {
			b.windows[id] = sequence
		}
	case destroyWindow, destroySubwindows, reparentWindow:
		if b.ids.has(id) {
			clear(b.windows)
			return
		}
		if r.Major == destroySubwindows {
			id = 0
		}
		b.touched.add(id)
	case freeGC:
		if !b.ids.has(id) {
			b.touched.add(id)
		}
		if id == b.gc {
			b.gc = 0
		}
	case killClient:
		b.touched.add(0)
	}
}

// failed notes that a request has: with it goes the window that it was to make. What has the number is another one then.
func (b *belongings) failed(sequence uint64) {
	for id, made := range b.windows {
		if made == sequence {
			delete(b.windows, id)
		}
	}
}

// window reports whether a window is there for certain, where the requests up to settled are known to have gone
// well or not.
func (b *belongings) window(id uint32, settled uint64) bool {
	made, ok := b.windows[id]
	return ok && made <= settled && !b.touched.has(id, b.since)
}

// context reports whether the first graphics context is.
func (b *belongings) context(id uint32) bool {
	return id != 0 && id == b.gc && !b.touched.has(id, b.since)
}

// hearsFirst notes that a program wants to hear of a selection's owners in a window, and reports whether nothing was said
// about that before, so that it can only hear more.
func (b *belongings) hearsFirst(window, selection uint32) bool {
	about := [2]uint32{window, selection}
	if b.hears[about] || len(b.hears) >= maxOwn {
		return false
	}
	b.hears[about] = true
	return true
}
