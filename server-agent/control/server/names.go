package server

import (
	"context"
	"sync"
	"time"
)

const (
	// nameAge is how long the name of a user is believed, and noNameAge that one has none.
	nameAge   = time.Minute
	noNameAge = 10 * time.Second

	// MaxLookups bounds the lookups at a time, each of which may be a process (sessions.UserName).
	MaxLookups = 8

	// maxNames bounds the users that are remembered.
	maxNames = 4096
)

// names knows what users are called. Each user is looked up once for all that ask meanwhile, so
// that no user's connections use up the processes that other users' lookups take.
type names struct {
	look  func(ctx context.Context, uid int) (string, error)
	slots chan struct{} // one for each lookup
	tasks *sync.WaitGroup

	mu    sync.Mutex
	known map[int]*name
}

// name is what is known of a user. name, err and at are to be read once done is closed.
type name struct {
	named bool // the last time
	done  chan struct{}

	name string
	err  error
	at   time.Time
}

func newNames(look func(context.Context, int) (string, error), tasks *sync.WaitGroup) *names {
	return &names{look: look, slots: make(chan struct{}, MaxLookups), tasks: tasks, known: make(map[int]*name)}
}

// get returns the name of a user, for which it may have to wait until ctx is done. A lookup
// that it begins goes on for others until stop is done.
func (n *names) get(ctx, stop context.Context, uid int) (string, error) {
	found := n.find(stop, uid)
	select {
	case <-found.done:
		return found.name, found.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// isKnown tells whether a user had a name when that was last looked up.
func (n *names) isKnown(uid int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := n.known[uid]
	return found.hadName()
}

// find returns what is known of a user, or begins to look it up.
func (n *names) find(stop context.Context, uid int) *name {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.known[uid]
	if old != nil && !old.isOld() {
		return old
	}
	n.forget()
	found := &name{named: old.hadName(), done: make(chan struct{})}
	n.known[uid] = found
	n.tasks.Go(func() {
		defer close(found.done)
		defer func() { found.at = time.Now() }()
		select {
		case n.slots <- struct{}{}:
			defer func() { <-n.slots }()
			found.name, found.err = n.look(stop, uid)
		case <-stop.Done():
			found.err = stop.Err()
		}
	})
	return found
}

// forget makes room for one more user. Under the lock.
func (n *names) forget() {
	if len(n.known) < maxNames {
		return
	}
	for uid, found := range n.known {
		if found.isDone() {
			delete(n.known, uid)
		}
	}
}

// hadName tells whether the last lookup that is done found a name.
func (u *name) hadName() bool {
	switch {
	case u == nil:
		return false
	case !u.isDone():
		return u.named
	}
	return u.err == nil
}

func (u *name) isDone() bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

// isOld tells whether a user has to be looked up anew.
func (u *name) isOld() bool {
	if !u.isDone() {
		return false
	}
	age := nameAge
	if u.err != nil {
		age = noNameAge
	}
	return time.Since(u.at) > age
}
