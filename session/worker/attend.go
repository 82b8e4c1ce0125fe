package worker

import (
	"context"
	"fmt"
	"sync"

	"goldm/ldm/wire"
)

// handlers act on what ldm sends while the session runs. None may block; where one is
// nil its message is out of turn.
type handlers struct {
	ran      func(*wire.Ran)
	needHome func(*wire.NeedHome)
}

// attend hands ldm's messages on until ctx ends, which it does when ldm hangs up.
func (w *worker) attend(ctx context.Context, h handlers) {
	for {
		select {
		case message := <-w.inbox:
			if !h.handle(message) {
				w.log.Warn("message from ldm out of turn", "type", fmt.Sprintf("%T", message))
			}
		case <-ctx.Done():
			return
		}
	}
}

// attendMeanwhile attends until the function that it returns is called, which waits
// for the handlers.
func (w *worker) attendMeanwhile(ctx context.Context, h handlers) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var attending sync.WaitGroup
	attending.Go(func() { w.attend(ctx, h) })
	return func() {
		cancel()
		attending.Wait()
	}
}

// handle reports whether the message has somebody to act on it.
func (h handlers) handle(message wire.Message) bool {
	switch m := message.(type) {
	case *wire.Ran:
		if h.ran != nil {
			h.ran(m)
			return true
		}
	case *wire.NeedHome:
		if h.needHome != nil {
			h.needHome(m)
			return true
		}
	}
	return false
}
