package peer

import (
	"container/list"
	"sync"
)

// Queue holds places for connections, by the owner of each: a user or an address. When it has
// no place left, the owner with the most places loses its oldest one; of several such owners
// the one whose oldest place is the oldest. Its methods may be called from several goroutines.
type Queue[K comparable] struct {
	most int

	mu     sync.Mutex
	taken  int
	serial uint64
	owners map[K]*list.List // of *Place[K], the oldest first; never an empty list
}

// NewQueue returns a queue of that many places, at least one.
func NewQueue[K comparable](most int) *Queue[K] {
	return &Queue[K]{most: most, owners: make(map[K]*list.List)}
}

// Place is one connection's place in a queue.
type Place[K comparable] struct {
	queue   *Queue[K]
	owner   K
	serial  uint64 // places are numbered in the order in which they were taken
	yield   func()
	element *list.Element // nil once the place is given up
}

// Take takes a place, for which another connection may have to give up its own. yield is called
// once if this place is to be given up; it must not block.
func (q *Queue[K]) Take(owner K, yield func()) *Place[K] {
	q.mu.Lock()
	var loser *Place[K]
	if q.taken >= q.most {
		loser = q.loser()
		q.remove(loser)
	}
	q.serial++
	p := &Place[K]{queue: q, owner: owner, serial: q.serial, yield: yield}
	places := q.owners[owner]
	if places == nil {
		places = list.New()
		q.owners[owner] = places
	}
	p.element = places.PushBack(p)
	q.taken++
	q.mu.Unlock()
	if loser != nil {
		loser.yield()
	}
	return p
}

// Shed has one place given up, as if another connection wanted it.
func (q *Queue[K]) Shed() {
	q.mu.Lock()
	loser := q.loser()
	q.remove(loser)
	q.mu.Unlock()
	if loser != nil {
		loser.yield()
	}
}

// loser returns the place to give up; nil where none is taken. Under the lock.
func (q *Queue[K]) loser() *Place[K] {
	var loser *Place[K]
	most := 0
	for _, places := range q.owners {
		oldest := places.Front().Value.(*Place[K])
		if places.Len() > most || places.Len() == most && oldest.serial < loser.serial {
			loser, most = oldest, places.Len()
		}
	}
	return loser
}

// remove takes a place out of the queue. Under the lock.
func (q *Queue[K]) remove(p *Place[K]) {
	if p == nil || p.element == nil {
		return
	}
	places := q.owners[p.owner]
	places.Remove(p.element)
	if places.Len() == 0 {
		delete(q.owners, p.owner)
	}
	p.element = nil
	q.taken--
}

// Leave gives the place up, and reports whether the connection still had it.
func (p *Place[K]) Leave() bool {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	had := p.element != nil
	p.queue.remove(p)
	return had
}
