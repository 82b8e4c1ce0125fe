package sound

import (
	"context"
	"io"
	"sync"
	"time"
)

// What all programs of a session may send, together. Eight streams in the best
// quality that people hear need less; a program that floods its socket gets no
// more, and leaves the connection to the display.
const (
	bytesPerSecond = 4 << 20
	burst          = 4 << 20 // programs fill their buffers at the start
)

// budget limits a rate.
type budget struct {
	rate, burst float64 // bytes a second, bytes

	mu   sync.Mutex
	debt float64 // bytes ahead of the rate
	at   time.Time
}

func newBudget(rate, burst float64) *budget {
	return &budget{rate: rate, burst: burst, at: time.Now()}
}

// take returns how long to wait after n more bytes.
func (b *budget) take(n int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.debt = max(0, b.debt-now.Sub(b.at).Seconds()*b.rate) + float64(n)
	b.at = now
	return time.Duration((b.debt - b.burst) / b.rate * float64(time.Second))
}

// spend waits until n more bytes may come, or ctx ends.
func (b *budget) spend(ctx context.Context, n int) error {
	wait := b.take(n, time.Now())
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reader reads within the budget.
func (b *budget) reader(ctx context.Context, r io.Reader) io.Reader { return &budgeted{ctx, b, r} }

type budgeted struct {
	ctx    context.Context
	budget *budget
	io.Reader
}

func (r *budgeted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == nil {
		err = r.budget.spend(r.ctx, n)
	}
	return n, err
}
