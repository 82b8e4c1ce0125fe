package ldm

import (
	"context"
	"os"
	"sync"
	"time"

	"goldm/internal/pulse"
)

const (
	// beatPause is how long ldm does not look after it has read: a greeter that writes without end
	// costs nothing.
	beatPause = time.Second

	// maxPromise bounds what a greeter can promise.
	maxPromise = 2 * time.Minute
)

// beats are the signs of life of one greeter, from the first one on; see greetd.PulseVariable. A greeter
// that gives none is not watched: most do not know that they could.
type beats struct {
	reader *os.File
	tasks  sync.WaitGroup
	cancel context.CancelFunc
	ctx    context.Context
}

// newBeats returns beats, and the end for the greeter.
func newBeats() (*beats, *os.File, error) {
	reader, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	b := &beats{reader: reader}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, theirs, nil
}

// missing returns a channel that is closed when the greeter hangs. While the screen is silent, which
// stops a greeter without its fault, nothing is missed.
func (b *beats) missing(silent func() bool) <-chan struct{} {
	missed, promises := make(chan struct{}), make(chan time.Duration)
	b.tasks.Go(func() { b.read(promises) })
	b.tasks.Go(func() {
		due, ok := <-promises
		if !ok {
			return
		}
		for {
			if pulse.Listen(b.ctx, due, promises) == nil {
				return
			}
			if !silent() {
				close(missed)
				return
			}
		}
	})
	return missed
}

// read passes on what the greeter promises, until it has closed its end.
func (b *beats) read(promises chan<- time.Duration) {
	defer close(promises)
	buffer := make([]byte, 64<<10) // all that fits into a pipe (pipe(7)): the last byte counts
	for {
		n, err := b.reader.Read(buffer)
		if err != nil {
			return
		}
		promise := time.Duration(buffer[n-1]) * time.Second
		select {
		case promises <- min(max(promise, time.Second), maxPromise):
		case <-b.ctx.Done():
			return
		}
		if sleep(b.ctx, beatPause) != nil {
			return
		}
	}
}

func (b *beats) close() {
	b.cancel()
	b.reader.Close()
	b.tasks.Wait()
}
