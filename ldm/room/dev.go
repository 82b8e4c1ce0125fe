package room

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// staticDevices are of every Linux machine, for everybody: null(4), full(4), random(4), tty(4).
var staticDevices = []struct {
	name  string
	minor uint32
	major uint32
}{
	{"null", 3, 1}, {"zero", 5, 1}, {"full", 7, 1}, {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5},
}

// staticLinks are those of /dev that programs rely on.
var staticLinks = map[string]string{
	"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}

// makeDev makes a room's /dev of what is harmless. /dev/fuse is not in it, nor is another
// device that everybody may open: with it a program could make its own end wait for itself.
// Devices of the desk come and go: see mirror.
func makeDev(folder string) error {
	for _, dir := range append([]string{"", "pts", "shm"}, mirrored...) {
		if err := os.MkdirAll(filepath.Join(folder, dir), 0o755); err != nil {
			return err
		}
	}
	for _, d := range staticDevices {
		path := filepath.Join(folder, d.name)
		if err := errors.Join(unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))), os.Chmod(path, 0o666)); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
	}
	for name, to := range staticLinks {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}
