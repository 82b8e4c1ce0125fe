package session

import (
	"bytes"
	"log/slog"
	"sync"
	"time"

	"goldm/internal/text"
)

const (
	// maxSaidLine bounds a line of a program on the server in our log, in characters.
	maxSaidLine = 500

	// saidBurst is how many lines are logged at once, and saidEvery how often one more later.
	saidBurst = 20
	saidEvery = 3 * time.Second
)

// said is a writer that logs the lines that a program of ours on the server writes to its
// standard error. The server may write anything: lines are cut and made harmless, and where
// there are too many the log says how many it lacks. What comes before the program is known to
// be ours waits for release: it is a shell's, which may have no such program.
type said struct {
	log  *slog.Logger
	what string // who says it
	now  func() time.Time

	mu      sync.Mutex
	line    []byte
	known   bool
	waiting []string
	spent   time.Time // until when the lines so far are paid for
	missing int
}

func newSaid(log *slog.Logger, what string) *said { return &said{log: log, what: what, now: time.Now} }

// Write takes everything.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		// A character has 4 bytes at most; what is cut off here would not be shown.
		s.line = append(s.line, line[:min(len(line), 4*maxSaidLine-len(s.line))]...)
		if whole {
			s.hear(text.Line(string(s.line), maxSaidLine))
			s.line = s.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

// hear logs a line, or keeps it. Under the lock.
func (s *said) hear(line string) {
	switch {
	case line == "":
	case s.known:
		s.tell(line)
	case len(s.waiting) < saidBurst:
		s.waiting = append(s.waiting, line)
	}
}

// release logs what waits, and from now on at once.
func (s *said) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = true
	for _, line := range s.waiting {
		s.tell(line)
	}
	s.waiting = nil
}

// tell logs a line, if there have not been too many. Under the lock.
func (s *said) tell(line string) {
	now := s.now()
	if s.spent.Before(now) {
		s.spent = now
	}
	if s.spent.Sub(now) > (saidBurst-1)*saidEvery {
		s.missing++
		return
	}
	s.spent = s.spent.Add(saidEvery)
	s.log.Warn("the server says", "program", s.what, "text", line, "left_out", s.missing)
	s.missing = 0
}
