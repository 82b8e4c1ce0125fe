package stall

import (
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
	n := len(behind)
	switch over := n - int(b.most); {
	case over > 0:
		b.endThem(behind[n-over:], "windows of programs that wait", n)
	case n > 0 && b.heavy.Load():
		b.ended = true
		b.endThem(behind[n-1:], "memory in use while programs wait", n)
	}
	return b.due()
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

// endThem ends channels, because of a rule.
func (b *Budget) endThem(youngest []*Channel, rule string, behind int) {
	ended := make(map[string]int) // by kind
	for _, c := range youngest {
		ended[c.kind]++
		c.end()
	}
	b.channels = slices.DeleteFunc(b.channels, func(c *Channel) bool { return slices.Contains(youngest, c) })
	for kind, n := range ended {
		b.config.Log.Warn("programs are closed: too much of what they send waits", "rule", rule, "kind", kind, "closed", n, "waiting", behind)
	}
}
