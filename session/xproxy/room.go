package xproxy

import "sync/atomic"

// room bounds what all programs of a far half hold together, in bytes.
type room struct {
	most int64
	held atomic.Int64
}

// take takes room, if there is so much.
func (r *room) take(n int64) bool {
	if r.held.Add(n) <= r.most {
		return true
	}
	r.held.Add(-n)
	return false
}

// give gives room back.
func (r *room) give(n int64) { r.held.Add(-n) }

// full reports whether there is no room.
func (r *room) full() bool { return r.held.Load() >= r.most }
