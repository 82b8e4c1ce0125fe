package stall

import (
	"log/slog"
	"runtime"
	"slices"
	"time"

	"goldm/internal/heap"
)

// alarm has the channels watched for a while. It is cheap where they are already.
func (b *Budget) alarm() {
	if b.watching.Load() || !b.watching.CompareAndSwap(false, true) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed.Load() {
		b.tasks.Go(b.watch)
	}
}

// watch looks at the channels again and again, as long as too many may be behind.
func (b *Budget) watch() {
	tick := time.NewTicker(behindWithin)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-b.stop:
			return
		}
		if b.look(time.Now()) {
			continue
		}
		b.watching.Store(false)
		if !b.due() || !b.watching.CompareAndSwap(false, true) {
			return
		}
	}
}

// due reports whether the channels have to be watched.
func (b *Budget) due() bool {
	away := b.away.Load()
	return away > b.most || away > 0 && b.heavy.Load()
}

// look ends the youngest channels of those that are behind, if these hold too much. It reports whether to look again.
func (b *Budget) look(now time.Time) (again bool) {
	if b.ended {
		b.ended = false
		runtime.GC()
		b.heavy.Store(heap.Live() > b.config.Heap)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	behind := b.behind(now)
	over := len(behind) - int(b.most)
	if over <= 0 && len(behind) > 0 && b.heavy.Load() {
		over, b.ended = 1, true
	}
	if over > 0 {
		b.endThem(behind[len(behind)-over:])
		b.report.behind, b.report.heap = len(behind), b.ended
	}
	return !b.report.tell(now) || b.due()
}

// behind returns the channels that have not been seen with nothing left for long enough, the oldest first.
func (b *Budget) behind(now time.Time) []*Channel {
	var behind []*Channel
	for _, c := range b.channels {
		if state := c.state.Load(); state != c.seen || state%2 == 1 {
			c.seen, c.since = state, now
		}
		if now.Sub(c.since) >= behindWithin {
			behind = append(behind, c)
		}
	}
	return behind
}

// endThem ends channels.
func (b *Budget) endThem(youngest []*Channel) {
	for _, c := range youngest {
		b.report.add(c.kind)
		c.end()
	}
	b.channels = slices.DeleteFunc(b.channels, func(c *Channel) bool { return slices.Contains(youngest, c) })
}

// report is what the log is still to be told.
type report struct {
	log    *slog.Logger
	ended  map[string]int // by kind
	behind int            // channels, when some were ended last
	heap   bool           // because of the heap
	last   time.Time
}

func (r *report) add(kind string) {
	if r.ended == nil {
		r.ended = make(map[string]int)
	}
	r.ended[kind]++
}

// tell tells what there is, unless it did just before. It reports whether nothing is left to tell.
func (r *report) tell(now time.Time) bool {
	if len(r.ended) > 0 && now.Sub(r.last) < sayEvery {
		return false
	}
	r.say(now)
	return true
}

func (r *report) say(now time.Time) {
	if len(r.ended) == 0 {
		return
	}
	rule := "windows of channels that wait"
	if r.heap {
		rule = "memory in use while channels wait"
	}
	for kind, n := range r.ended {
		r.log.Warn("programs were closed: too much waits for the display or the sound",
			"rule", rule, "kind", kind, "closed", n, "waiting", r.behind)
	}
	r.ended, r.last = nil, now
}
