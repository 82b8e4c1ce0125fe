package server

import (
	"fmt"
	"sync"
	"time"

	"goldm/server-agent/control"
)

// drain is what the daemon knows of the drain file. Who removes it by hand is heeded, too.
type drain struct {
	path string

	mu     sync.Mutex
	seen   time.Time // when the file was looked for
	since  time.Time
	failed error
}

// look is how often the file is looked for.
const look = time.Second

// get returns since when the server is drained; zero where it is not.
func (d *drain) get() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil && time.Since(d.seen) > look {
		d.seen, d.since = time.Now(), control.DrainedSince(d.path)
	}
	return d.since
}

// set changes it, for as long as the daemon runs where the file cannot be written.
func (d *drain) set(drained bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = control.SetDrained(d.path, drained)
	d.seen = time.Now()
	switch {
	case !drained:
		d.since = time.Time{}
	case d.since.IsZero():
		d.since = time.Now()
	}
	if d.failed != nil {
		return fmt.Errorf("until the daemon is started anew only: %w", d.failed)
	}
	return nil
}
