package stall

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/heap"
)

const (
	// window is what a channel may hold, in bytes: channelWindowSize in channel.go of x/crypto/ssh.
	window = 2 << 20

	// StalledLimit is what all channels that are behind may hold by their windows, in bytes. Clients with 512 MiB
	// have about 250 MiB left beside system and X server, and the collector lets the heap grow to about twice what is in use.
	StalledLimit = 64 << 20

	// HeapLimit is how much of the heap may be in use while a channel is behind, in bytes: StalledLimit, and as much again
	// for a session that carries all that it may.
	HeapLimit = 128 << 20

	// behindWithin is how long a channel may be behind before it counts. A link of 1 Gbit/s brings 12 MB
	// meanwhile, and an X server serves each program that draws several times.
	behindWithin = 100 * time.Millisecond
)

// Config says what a Budget allows.
type Config struct {
	Stalled int          // bytes of windows; 0 for StalledLimit
	Heap    uint64       // bytes in use; 0 for HeapLimit
	Log     *slog.Logger // for what is ended; a limited one
}

// Budget watches the channels of a connection.
type Budget struct {
	config Config
	most   int32        // channels that may be behind
	away   atomic.Int32 // channels that nobody waits on
	heavy  atomic.Bool  // the last collection found too much in use

	watching atomic.Bool
	closed   atomic.Bool
	stop     chan struct{}
	tasks    sync.WaitGroup

	mu       sync.Mutex
	channels []*Channel // the oldest first

	ended bool // one was, because of the heap: it is garbage by now
}

// New returns a budget that Close ends.
func New(config Config) *Budget {
	config.Stalled = cmp.Or(config.Stalled, StalledLimit)
	config.Heap = cmp.Or(config.Heap, HeapLimit)
	b := &Budget{config: config, most: int32(config.Stalled / window), stop: make(chan struct{})}
	heap.OnCollection(b.collected)
	return b
}

// Close stops watching, and waits for that.
func (b *Budget) Close() {
	b.mu.Lock()
	if !b.closed.Swap(true) {
		close(b.stop)
	}
	b.mu.Unlock()
	b.tasks.Wait()
}

// collected is called after a collection of the heap; false ends that.
func (b *Budget) collected() bool {
	if b.closed.Load() {
		return false
	}
	b.heavy.Store(heap.Live() > b.config.Heap)
	if b.due() {
		b.alarm()
	}
	return true
}

// Channel is a channel whose reader counts. One goroutine at a time reads it.
type Channel struct {
	ssh.Channel
	budget *Budget
	kind   string
	end    func()

	// state is odd while the reader waits for more, or takes it just now. It is two more each time that
	// the reader has taken all that there was.
	state atomic.Uint32

	// Of the budget's, under its lock.
	seen  uint32    // state, when it was looked at
	since time.Time // when that was looked at first
}

// Add has a new channel counted, the youngest so far, until it is removed. end has its reader give up, and does
// not wait; what kind of channel it is, the log says.
func (b *Budget) Add(kind string, channel ssh.Channel, end func()) *Channel {
	c := &Channel{Channel: channel, budget: b, kind: kind, end: end}
	b.mu.Lock()
	defer b.mu.Unlock()
	c.since = time.Now()
	b.channels = append(b.channels, c)
	b.away.Add(1)
	return c
}

// Remove has a channel not counted any more. Its reader has given up.
func (c *Channel) Remove() {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away.Add(-1)
	b.channels = slices.DeleteFunc(b.channels, func(other *Channel) bool { return other == c })
}

// Read is the channel's. A result that is short of p has left nothing behind: x/crypto fills p where it can.
func (c *Channel) Read(p []byte) (int, error) {
	c.state.Add(1)
	c.budget.away.Add(-1)
	n, err := c.Channel.Read(p)
	if n < len(p) {
		c.state.Add(1)
	} else {
		c.state.Add(^uint32(0))
	}
	if c.budget.away.Add(1) > c.budget.most {
		c.budget.alarm()
	}
	return n, err
}
