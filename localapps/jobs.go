package localapps

import (
	"sync"

	"github.com/jezek/xgb/xproto"
)

// Bounds of what has begun.
const (
	maxStarting = 64  // requests that their Runner has not answered yet
	maxWaiting  = 512 // askers that wait for a program's end
)

// job is a request that its Runner has.
type job struct {
	asked  uint32        // the asker's id for it
	window xproto.Window // for the answers; 0 once nobody wants any
	wait   bool

	settled bool // the Runner has said whether it started
	ended   bool // nothing that is reported counts any more
}

// jobs holds what is under way, by the windows of who asked.
type jobs struct {
	mu       sync.Mutex
	last     uint32 // id given to a Runner
	waiting  int    // askers that wait for the end of what has started
	starting chan struct{}
	askers   map[xproto.Window]map[*job]struct{}
}

func (j *jobs) init() {
	j.starting = make(chan struct{}, maxStarting)
	j.askers = make(map[xproto.Window]map[*job]struct{})
}

// begin gives a new job its id. It reports false where too many askers wait already.
func (j *jobs) begin(b *job) (id uint32, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b.wait && j.waiting >= maxWaiting {
		return 0, false
	}
	if b.wait {
		j.waiting++
	}
	j.last++
	return j.last, true
}

// watch enters a job's window, before the X server is asked to tell of its end.
func (j *jobs) watch(b *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.askers[b.window] == nil {
		j.askers[b.window] = make(map[*job]struct{})
	}
	j.askers[b.window][b] = struct{}{}
}

// report takes a Runner's word and says which window wants to hear it, 0 for none, and
// whether that one is not to be watched any longer.
func (j *jobs) report(b *job, s State) (window xproto.Window, unwatch bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b.ended || s.Name == Accepted || b.settled && s.Name != Exited {
		return 0, false
	}
	if !b.settled {
		b.settled = true
		<-j.starting
	}
	window = b.window
	if !s.last() && b.wait && window != 0 {
		return window, false
	}
	return window, j.drop(b)
}

// drop ends a job, and reports whether its window is not to be watched any longer.
func (j *jobs) drop(b *job) (unwatch bool) {
	if b.ended {
		return false
	}
	b.ended = true
	if b.wait {
		j.waiting--
	}
	others := j.askers[b.window]
	delete(others, b)
	if len(others) > 0 || b.window == 0 {
		return false
	}
	delete(j.askers, b.window)
	return true
}

// abandon ends a job that no Runner gets.
func (j *jobs) abandon(b *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drop(b)
}

// forget lets go of who asked from a window that is gone.
func (j *jobs) forget(window xproto.Window) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for b := range j.askers[window] {
		b.window = 0
		if b.settled {
			j.drop(b)
		}
	}
	delete(j.askers, window)
}
