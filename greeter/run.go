package greeter

import (
	"context"
	"log/slog"
	"reflect"
	"time"
)

// Screen paints a Model and reads the person's keys.
type Screen interface {
	// Show replaces what is on the screen. It must not wait for the painting.
	Show(View)

	// Inputs returns what the person does: Submitted, Typed, GuestAsked,
	// ServerTurned and Escaped.
	Inputs() <-chan Event
}

// Config is what Run needs.
type Config struct {
	Socket   string // of the daemon, from GREETD_SOCK
	Hostname string // to show until the daemon tells its own
	Screen   Screen
	Pulse    *Pulse // of the screen's own loop; nil for nobody
	Log      *slog.Logger
}

// Run shows the login screen until the daemon has been told to start a session,
// and the process should exit; then it returns nil. Otherwise the error is a
// *failure.Failure, or the context's.
func Run(ctx context.Context, c Config) error {
	r := runner{Config: c, model: NewModel(c.Hostname), alarm: time.NewTimer(0)}
	defer r.alarm.Stop()
	r.alarm.Stop()
	r.link = dial(ctx, c.Socket)
	defer func() { r.link.close() }()
	return r.run(ctx)
}

type runner struct {
	Config
	model *Model
	shown View
	link  *link
	alarm *time.Timer
}

func (r *runner) run(ctx context.Context) error {
	for {
		r.show()
		event, err := r.next(ctx)
		if err != nil {
			return err
		}
		if lost, ok := event.(Lost); ok {
			r.Log.Warn("connection to the daemon lost", "err", lost.Err)
		}
		for _, a := range r.model.Step(event) {
			if leave, ok := a.(Leave); ok {
				return leave.Err
			}
			r.do(ctx, a)
		}
	}
}

// show shows what has changed: the clock's ticks mostly change nothing.
func (r *runner) show() {
	if v := r.model.View(); !reflect.DeepEqual(v, r.shown) {
		r.shown = v
		r.Screen.Show(v)
	}
}

func (r *runner) next(ctx context.Context) (Event, error) {
	select {
	case e := <-r.Screen.Inputs():
		return e, nil
	case e := <-r.link.events:
		return e, nil
	case <-r.alarm.C:
		return Woken{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *runner) do(ctx context.Context, a Action) {
	switch a := a.(type) {
	case Send:
		select {
		case r.link.requests <- a.Request:
		case <-ctx.Done():
		}
	case Reopen:
		r.link.close()
		r.link = dial(ctx, r.Socket)
	case Wake:
		r.alarm.Reset(a.After)
	}
}
