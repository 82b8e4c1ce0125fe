package far

import (
	"slices"
	"sync"
)

// maxTail is how much of a process's standard error is kept, in bytes.
const maxTail = 4 << 10

// tail is a writer that keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-maxTail):]...)
	t.kept = slices.Clone(t.kept[max(0, len(t.kept)-maxTail):])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
