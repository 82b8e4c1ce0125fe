package ldm

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/ldm/apps"
	"goldm/ldm/home"
	"goldm/ldm/wire"
)

// homeLimit is how long a person who asked for a program waits for the home.
const homeLimit = 40 * time.Second

// homes are the questions for the home that a worker has not answered yet.
type homes struct {
	mu      sync.Mutex
	last    uint32
	waiting map[uint32]chan *wire.Home
}

// ask begins a question: its number, and where the answer comes.
func (h *homes) ask() (uint32, chan *wire.Home) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == nil {
		h.waiting = make(map[uint32]chan *wire.Home)
	}
	h.last++
	answer := make(chan *wire.Home, 1)
	h.waiting[h.last] = answer
	return h.last, answer
}

// answer hands over an answer, if anybody waits for it; else its files are closed.
func (h *homes) answer(m *wire.Home) {
	h.mu.Lock()
	defer h.mu.Unlock()
	answer := h.waiting[m.ID]
	delete(h.waiting, m.ID)
	if answer == nil {
		wire.CloseFiles(m)
		return
	}
	answer <- m // it has room for one
}

// forget gives a question up. An answer that has come is discarded.
func (h *homes) forget(id uint32, answer chan *wire.Home) {
	h.mu.Lock()
	delete(h.waiting, id)
	h.mu.Unlock()
	select {
	case m := <-answer:
		wire.CloseFiles(m)
	default:
	}
}

// home asks the worker to open the user's home and further folders.
func (w *worker) home(ctx context.Context, extra []string) (*wire.Home, error) {
	id, answer := w.homes.ask()
	w.tell(&wire.NeedHome{ID: id, Extra: extra})
	select {
	case m := <-answer:
		if len(m.Paths) == 0 {
			return nil, failure.New(errors.New(text.Line(m.Detail, maxLine)),
				"Your home directory on the server could not be opened. Ask the administrator.")
		}
		return m, nil
	case <-ctx.Done():
		w.homes.forget(id, answer)
		return nil, failure.New(ctx.Err(), "The server takes too long to open your home directory. Try again in a moment.")
	}
}

// mountHome mounts the user's home for the programs of a place. The error is a
// *failure.Failure.
func (l *local) mountHome(ctx context.Context, place apps.Place) (*home.Home, error) {
	ctx, cancel := context.WithTimeout(ctx, homeLimit)
	defer cancel()
	s := l.seat
	if l.worker == nil {
		return nil, failure.New(nil, "This session has no home directory.")
	}
	extra := s.Settings.Apps.Mounts
	answer, err := l.worker.home(ctx, extra)
	if err != nil {
		return nil, err
	}
	return home.Mount(ctx, home.Config{
		Room: place.Room, User: place.User.User, Self: s.Home, Group: s.children, Cgroup: l.cgroup,
		Prefixes: s.Settings.Apps.Homes, Extra: extra,
		Output: func(process string) (*os.File, func(), error) { return l.output(process) },
		Log:    l.log,
	}, answer.Paths, answer.Files)
}

// output is for what a process of the session says, which is logged.
func (l *local) output(process string) (*os.File, func(), error) {
	out, file, err := newOutputAt(l.log.With("process", process), slog.LevelInfo)
	if err != nil {
		return nil, nil, err
	}
	return file, out.close, nil
}
