package ldm

import (
	"cmp"
	"context"
	"errors"

	"goldm/internal/pulse"
	"goldm/internal/supervise"
	"goldm/ldm/wire"
)

// ping asks a child for signs of life and hangs up on one that hangs. The function that it returns ends
// that, and returns pulse.ErrHung where the child hangs.
func (s *Seat) ping(conn *wire.Conn, asker *pulse.Asker) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	s.tasks.Go(func() {
		err := asker.Watch(ctx, s.Pulse, false, func(id uint32) error { return conn.Send(&wire.Ping{ID: id}) })
		if err != nil {
			conn.Close()
		}
		result <- err
	})
	return func() error {
		cancel()
		return <-result
	}
}

// pingWorker is ping for a worker.
func (s *Seat) pingWorker(w *worker) (end func() error) {
	endPings := s.ping(w.conn, &w.pulse)
	return func() error {
		err := endPings()
		if err != nil {
			w.log.Error("the worker is killed", "cause", err)
		}
		return err
	}
}

// stopChild ends a child and returns how it ended: one that hangs at once, since it answers no TERM.
func stopChild(process *supervise.Process, hung error) error {
	grace := stopGrace
	if errors.Is(hung, pulse.ErrHung) {
		grace = 0
	}
	process.Stop(grace)
	return cmp.Or(hung, process.Err())
}
