package peer

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// quiet is how long the log has no second line about a rule.
	quiet = time.Minute

	// maxRules bounds the rules that are told apart. The rules are words of ours.
	maxRules = 32
)

// Refusals logs what was refused, by the rule that refused it. A flood of refusals fills no log
// and hides no other rule's line: of each rule there is one line a minute, which says how many
// there were since the line before.
type Refusals struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	rules map[string]*rule
}

type rule struct {
	told   time.Time
	untold int
	last   []any // of the last refusal that is not in the log
}

// NewRefusals returns the refusals that go to a log. Close has to follow.
func NewRefusals(log *slog.Logger) *Refusals {
	return &Refusals{log: log, now: time.Now, rules: make(map[string]*rule)}
}

// Add notes a refusal, with attributes that say who was refused.
func (r *Refusals) Add(name string, attrs ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.rules[name]
	if known == nil {
		if len(r.rules) >= maxRules {
			return
		}
		known = new(rule)
		r.rules[name] = known
	}
	known.untold, known.last = known.untold+1, attrs
	if now := r.now(); known.told.IsZero() || now.Sub(known.told) >= quiet {
		known.told = now
		r.tell(name, known)
	}
}

// tell writes the line. Under the lock.
func (r *Refusals) tell(name string, known *rule) {
	r.log.Warn("refused", append([]any{"rule", name, "times", known.untold}, known.last...)...)
	known.untold, known.last = 0, nil
}

// Close logs what was left out so far.
func (r *Refusals) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, known := range r.rules {
		if known.untold > 0 {
			r.tell(name, known)
		}
	}
}
