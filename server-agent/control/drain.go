package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
