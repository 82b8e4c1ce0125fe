package pulse

import (
	"context"
	"sync"
	"time"
)

// Asker numbers the questions to a peer, from 1, and knows which answers are due. The zero value
// is ready.
type Asker struct {
	mu              sync.Mutex
	asked, answered uint32
	fresh           bool // an answer came since the last look
}

// Answer takes the answer to question id. It reports false for an answer that is not due: the question
// was not asked, or is answered. A late answer is an answer.
func (a *Asker) Answer(id uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if id <= a.answered || id > a.asked {
		return false
	}
	a.answered, a.fresh = id, true
	return true
}

// AnswerNext takes an answer without a number, which answers the oldest question.
func (a *Asker) AnswerNext() bool {
	a.mu.Lock()
	next := a.answered + 1
	a.mu.Unlock()
	return a.Answer(next)
}

func (a *Asker) next() uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.asked
}

// look tells whether an answer has come since the last look, and whether one ever has.
func (a *Asker) look() (fresh, ever bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh, a.fresh = a.fresh, false
	return fresh, a.answered > 0
}

// Watch asks at once and then at each interval. It returns nil at the end of ctx, and ErrHung where the
// peer hangs. A question that cannot be asked counts as one without an answer. With shy set,
// a peer that has never answered does not know the question, and is not watched.
func (a *Asker) Watch(ctx context.Context, l Limits, shy bool, ask func(id uint32) error) error {
	tick := time.NewTicker(l.Every)
	defer tick.Stop()
	for misses := 0; ; {
		ask(a.next()) // its error shows as silence
		if !sleep(ctx, l.Answer) {
			return nil
		}
		fresh, ever := a.look()
		if misses++; fresh || shy && !ever {
			misses = 0
		}
		if misses == maxMisses {
			return ErrHung
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
