package mux

import (
	"slices"
	"sync"
)

// queue holds bytes in their order, in blocks that others use when these are empty: memory
// that grows and goes with each picture would be garbage three times its size.
type queue struct {
	blocks []*block
	head   int // of the first block, what has gone
	size   int
}

type block [8 << 10]byte

var blocks = sync.Pool{New: func() any { return new(block) }}

func (q *queue) len() int { return q.size }

func (q *queue) add(p []byte) {
	for len(p) > 0 {
		end := q.head + q.size
		if end == len(q.blocks)*len(block{}) {
			q.blocks = append(q.blocks, blocks.Get().(*block))
		}
		n := copy(q.blocks[end/len(block{})][end%len(block{}):], p)
		q.size += n
		p = p[n:]
	}
}

// take moves the first bytes to p.
func (q *queue) take(p []byte) (n int) {
	for n < len(p) && q.size > 0 {
		first := q.blocks[0]
		some := copy(p[n:], first[q.head:min(len(first), q.head+q.size)])
		n += some
		q.head += some
		q.size -= some
		if q.head == len(first) || q.size == 0 {
			blocks.Put(first)
			q.blocks = slices.Delete(q.blocks, 0, 1)
			q.head = 0
		}
	}
	return n
}

func (q *queue) drop() {
	for _, b := range q.blocks {
		blocks.Put(b)
	}
	*q = queue{}
}
