package logs

import (
	"context"
	"log/slog"
	"time"
)

// process is the attribute that a record says with what process it is about. With
// the message it makes the record's kind.
const process = "process"

// leftOut is the message of the record that says how many lines were left out.
const leftOut = "lines left out"

// handler limits the records of one log.
type handler struct {
	slog.Handler
	shared  *shared
	process string
}

// shared is what the handlers of one log have in common.
type shared struct {
	own      *Limiter // by process and message
	children *Limiter // by process
}

// Limit returns a log with the same handler, of which a bounded number of each
// kind of lines passes. What is said of the lines left out goes there too. The caller
// calls close at the end.
func Limit(log *slog.Logger, r Rates) (limited *slog.Logger, close func()) {
	h := log.Handler()
	tell := func(kind string, number int) {
		record := slog.NewRecord(time.Now(), slog.LevelWarn, leftOut, 0)
		record.AddAttrs(slog.Int("number", number), slog.String("like", kind))
		h.Handle(context.Background(), record)
	}
	s := &shared{own: NewLimiter(r, tell), children: NewLimiter(children, tell)}
	return slog.New(handler{Handler: h, shared: s}), func() {
		s.own.Close()
		s.children.Close()
	}
}

// saidKey marks a context in which what a child said is logged.
type saidKey struct{}

// Said returns a context for logging what a child has said. The limiter of that
// child has let the line pass; the log sees only to the sum of such children.
func Said(ctx context.Context) context.Context { return context.WithValue(ctx, saidKey{}, true) }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	passes := false
	switch {
	case ctx.Value(saidKey{}) != nil:
		passes = h.shared.children.Take(h.process)
	case h.process == "":
		passes = h.shared.own.Take(r.Message)
	default:
		passes = h.shared.own.Take(h.process + ": " + r.Message)
	}
	if !passes {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == process {
			h.process = a.Value.String()
		}
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
