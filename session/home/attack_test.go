package home

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"
)

// A program that opens lock files without end makes us wait for a bounded number of them, and no longer than
// the home is there.
func TestAttackOpenings(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lock := func(ctx context.Context, _ string) (func(), error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g := newGuard(ctx, lock, io.Discard, io.Discard, slog.New(slog.DiscardHandler))
	done := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil && n < 100*maxAsking; n++ {
			g.request(opening(uint32(n), fmt.Sprintf("/home/anna/%d/.parentlock", n), openForWriting))
		}
		done <- n
	}()
	for len(g.slots) < maxAsking {
		time.Sleep(time.Millisecond)
	}
	g.mu.Lock()
	turns, passing := len(g.turns), len(g.passing)
	g.mu.Unlock()
	if turns > maxAsking || passing > maxAsking+1 {
		t.Errorf("%d files are being locked, %d are being opened", turns, passing)
	}
	cancel()
	if n := <-done; n > maxAsking+1 {
		t.Errorf("%d packets were taken while %d waited", n, maxAsking)
	}
	g.close()
}

// A server that answers no opening has a bounded number of them remembered.
func TestAttackUnanswered(t *testing.T) {
	l := &locker{}
	d := newDesk(t, l)
	const file = "/home/anna/.mozilla/firefox/x/.parentlock"
	for n := range maxOpening + 100 {
		d.ask(opening(uint32(n), file, openForWriting))
	}
	if n := len(d.opening); n != maxOpening {
		t.Errorf("%d openings are remembered, want %d", n, maxOpening)
	}
	if n := len(arrived(t, &d.here)); n != 100 {
		t.Errorf("%d were refused, want 100", n)
	}
}

// A server on which everything is locked has a bounded number of folders remembered.
func TestAttackForeign(t *testing.T) {
	d := newDesk(t, &locker{})
	for n := range 4 * maxForeign {
		d.l.busy = []string{fmt.Sprintf("/home/anna/%d/.parentlock", n)}
		d.ask(opening(uint32(n), d.l.busy[0], openForWriting))
	}
	if n := len(d.foreign); n != maxForeign {
		t.Errorf("%d folders are remembered, want %d", n, maxForeign)
	}
}
