package apps

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// maxLogged bounds the lines that a login's programs make in the log: who asks
// for them can ask for ever.
const maxLogged = 1000

// bounded passes so many lines on and then says that there are more.
type bounded struct {
	slog.Handler
	left *atomic.Int64
}

func bound(log *slog.Logger) *slog.Logger {
	left := new(atomic.Int64)
	left.Store(maxLogged)
	return slog.New(bounded{log.Handler(), left})
}

// Handle implements slog.Handler.
func (b bounded) Handle(ctx context.Context, r slog.Record) error {
	switch left := b.left.Add(-1); {
	case left > 0:
		return b.Handler.Handle(ctx, r)
	case left == 0:
		return b.Handler.Handle(ctx, slog.NewRecord(r.Time, slog.LevelWarn, "programs make too many lines; the rest is not logged", r.PC))
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (b bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bounded{b.Handler.WithAttrs(attrs), b.left}
}

// WithGroup implements slog.Handler.
func (b bounded) WithGroup(name string) slog.Handler {
	return bounded{b.Handler.WithGroup(name), b.left}
}
