// Package backoff paces the tries of something that many clients want at once.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	shortest = 500 * time.Millisecond // the first pause, on average
	longest  = 2 * time.Second        // and any pause, on average
)

// Pauses are the pauses between tries: each about half as long again as the one
// before, and of a random length, so that clients that were turned away together
// do not come back together.
type Pauses struct {
	began time.Time
	next  time.Duration
}

// New returns pauses for tries whose first has just failed.
func New() *Pauses { return &Pauses{began: time.Now(), next: shortest} }

// Wait waits until it is time for another try, and returns false where limit has
// passed since the first, or ctx has ended.
func (p *Pauses) Wait(ctx context.Context, limit time.Duration) bool {
	if time.Since(p.began) >= limit {
		return false
	}
	pause := time.NewTimer(p.next/2 + rand.N(p.next))
	defer pause.Stop()
	p.next = min(p.next*3/2, longest)
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}
