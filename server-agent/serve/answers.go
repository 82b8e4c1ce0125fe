package serve

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"goldm/internal/infowire"
	"goldm/server-agent/info"
)

const (
	// fresh is how long an answer is given again.
	fresh = 2 * time.Second
	// patience is how long a client waits for a new answer where there is an old one.
	patience = time.Second
	// gathering bounds the making of an answer.
	gathering = 10 * time.Second
)

// answer is what is told on both ports.
type answer struct {
	text, json []byte
	made       time.Time
}

// answers makes an answer when one is asked for and the last is not fresh any more, for
// all that ask meanwhile.
type answers struct {
	ctx  context.Context // of the server
	get  func(context.Context) info.Info
	log  *slog.Logger
	work sync.WaitGroup

	mu     sync.Mutex
	last   *answer       // nil before the first
	making chan struct{} // closed when the next one is there; nil when none is being made
	known  string        // the problems that the log has
}

// current returns an answer; nil where there is none yet and ctx is done.
func (a *answers) current(ctx context.Context) *answer {
	a.mu.Lock()
	last := a.last
	if last != nil && time.Since(last.made) < fresh {
		a.mu.Unlock()
		return last
	}
	if a.making == nil {
		a.making = make(chan struct{})
		a.work.Go(a.make)
	}
	making := a.making
	a.mu.Unlock()
	var late <-chan time.Time
	if last != nil {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-making:
	case <-late:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// make makes an answer. It leaves the last one where that does not work.
func (a *answers) make() {
	ctx, cancel := context.WithTimeout(a.ctx, gathering)
	defer cancel()
	gathered := a.get(ctx)
	json, err := infowire.Encode(gathered.Info)
	if err != nil {
		a.log.Error("no answer for clients", "err", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.making)
	a.making = nil
	if err == nil {
		a.last = &answer{text: gathered.Text(), json: json, made: time.Now()}
	}
	a.complain(gathered.Problems)
}

// complain logs problems, once as long as they are the same.
func (a *answers) complain(problems []error) {
	known := ""
	for _, p := range problems {
		known += p.Error() + "\n"
	}
	if known == a.known {
		return
	}
	a.known = known
	for _, p := range problems {
		a.log.Warn("part of the information is missing", "err", p)
	}
}
