package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// DrainFile says by being there that this server takes no new logins: so that it holds
// when the daemon, or the server, is started anew.
const DrainFile = "/var/lib/ltsp-server-agent/drained"

// DrainedSince returns since when a drain file is there; zero where it is not.
func DrainedSince(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// SetDrained makes the drain file, or removes it.
func SetDrained(path string, drained bool) error {
	if !drained {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("undrain: %w", err)
		}
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil // since longer
	}
	if err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return file.Close()
}

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
		d.seen, d.since = time.Now(), DrainedSince(d.path)
	}
	return d.since
}

// set changes it, for as long as the daemon runs where the file cannot be written.
func (d *drain) set(drained bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = SetDrained(d.path, drained)
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
