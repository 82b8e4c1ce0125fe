package localapps

import (
	"context"
	"sync"
)

// Bounds of what waits for its turn. What comes on top is answered, not kept.
const (
	maxQueue      = 16 << 10 // requests
	maxQueueBytes = 8 << 20  // of their text, all together
)

// queued is a request that waits for its turn.
type queued struct {
	record runRecord
	legacy bool
}

// size is about what it takes, in bytes.
func (q *queued) size() int {
	size := len(q.record.Dir) + len(q.record.Startup)
	for _, arg := range q.record.Args {
		size += len(arg) + 16 // a string's head
	}
	return size
}

// queue holds requests in their order.
type queue struct {
	mu    sync.Mutex
	items []queued
	bytes int
	ready chan struct{} // holds one where there are items
}

func (q *queue) init() { q.ready = make(chan struct{}, 1) }

// put adds a request, and reports whether there was room.
func (q *queue) put(item queued) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == maxQueue || q.bytes+item.size() > maxQueueBytes {
		return false
	}
	q.items = append(q.items, item)
	q.bytes += item.size()
	q.signal()
	return true
}

// get waits for the next request, until ctx ends.
func (q *queue) get(ctx context.Context) (queued, bool) {
	select {
	case <-q.ready:
	case <-ctx.Done():
		return queued{}, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	item := q.items[0]
	q.items[0] = queued{}
	q.items = q.items[1:]
	q.bytes -= item.size()
	if len(q.items) > 0 {
		q.signal()
	} else {
		q.items = nil // with the memory of a storm
	}
	return item, true
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
