package ldm

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"

	"goldm/ldm/wire"
)

// carried is a Home with a file, and a check that the file is closed.
func carried(t *testing.T, id uint32) (*wire.Home, func(name string)) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &wire.Home{ID: id, Paths: []string{"/home/anna"}, Files: []*os.File{w}}, func(name string) {
		t.Helper()
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: its file is open: %v", name, err)
		}
	}
}

// What a worker sends unasked, twice or too late is closed.
func TestHomesThatNobodyWaitsFor(t *testing.T) {
	var h homes
	unasked, closed := carried(t, 1)
	h.answer(unasked)
	closed("unasked")
	id, answer := h.ask()
	first, _ := carried(t, id)
	second, closed := carried(t, id)
	h.answer(first)
	h.answer(second)
	closed("the second")
	if got := <-answer; got != first {
		t.Errorf("got %+v", got)
	}
	id, answer = h.ask()
	h.forget(id, answer)
	late, closed := carried(t, id)
	h.answer(late)
	closed("too late")
	id, answer = h.ask()
	waiting, closed := carried(t, id)
	h.answer(waiting)
	h.forget(id, answer)
	closed("given up with the answer there")
	if len(h.waiting) > 0 {
		t.Errorf("still waited for: %v", h.waiting)
	}
}

func TestHomeOfAWorkerThatIsGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &worker{log: slog.New(slog.DiscardHandler)}
	if m, err := w.home(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", m, err)
	}
}
