package xwatch

import (
	"context"
	"log/slog"
	"time"

	"goldm/internal/pulse"
)

// Config says which X server to watch.
type Config struct {
	Socket string // its Unix socket
	Cookie []byte // MIT-MAGIC-COOKIE-1
	PID    int    // its process

	Limits pulse.Limits
	Log    *slog.Logger

	// Silent is told when a program begins to keep the server from answering, and when that is over.
	Silent func(bool)
}

// samples is how often the server's process is looked at while an answer is due.
const samples = 20

// maxMisses is how many judgements in a row find that the server hangs.
const maxMisses = 2

// Watch asks the server at once, and then at each interval. It returns nil at the end of ctx or where the server cannot be watched,
// and pulse.ErrHung where it hangs.
func Watch(ctx context.Context, c Config) error {
	w := &watcher{Config: c, line: &line{config: c}}
	defer w.line.close()
	defer w.loud()
	for {
		if err := w.question(ctx); err != nil || ctx.Err() != nil || w.line.foreign {
			return err
		}
		if !sleep(ctx, c.Limits.Every) {
			return nil
		}
	}
}

// watcher watches one server.
type watcher struct {
	Config
	line   *line
	silent bool
}

// question asks once and waits for the answer, however long that takes, or for the finding that the
// server hangs. The first judgement comes after the limit of an answer, the next ones each after an interval.
func (w *watcher) question(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		w.line.ask(ctx)
	}()
	defer func() { cancel(); <-answered }()
	look := time.NewTicker(w.Limits.Answer / samples)
	defer look.Stop()
	judge := time.NewTimer(w.Limits.Answer)
	defer judge.Stop()
	seen, misses := begin(w.PID), 0
	for {
		select {
		case <-answered:
			w.loud()
			return nil
		case <-look.C:
			seen.look()
		case <-judge.C:
			seen.look()
			switch state := seen.verdict(); {
			case state == "":
				misses = 0
				w.hush()
			default:
				misses++
				w.Log.Warn("the X server does not answer", "state", state, "times", misses)
			}
			if misses == maxMisses {
				return pulse.ErrHung
			}
			seen = begin(w.PID)
			judge.Reset(w.Limits.Every)
		}
	}
}

// hush notes, once, that the server answers nobody although it runs.
func (w *watcher) hush() {
	if w.silent {
		return
	}
	w.silent = true
	w.Log.Warn("the X server answers nobody, but waits: a program holds it (GrabServer)")
	w.tell()
}

// loud notes that it answers again.
func (w *watcher) loud() {
	if w.silent {
		w.silent = false
		w.Log.Info("the X server answers again")
		w.tell()
	}
}

func (w *watcher) tell() {
	if w.Silent != nil {
		w.Silent(w.silent)
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
