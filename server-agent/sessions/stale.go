package sessions

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fresh is the age from which on a folder that nobody has locked is a dead session's.
const fresh = time.Minute

// lockFolder opens and locks a folder; nil where that cannot be.
func lockFolder(path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return nil
	}
	return f
}

// RemoveStale removes the folders of this user's sessions of which both keeper and wrapper
// were killed. runtime is as in MakeFolder.
func RemoveStale(runtime string) error {
	var wrong error
	for _, base := range append(runtimes(runtime), temporary...) {
		entries, _ := os.ReadDir(base)
		for _, entry := range entries {
			id, ours := strings.CutPrefix(entry.Name(), prefix)
			if path := filepath.Join(base, entry.Name()); ours && ValidID(id) && isPrivate(path) == nil {
				wrong = errors.Join(wrong, removeStale(path))
			}
		}
	}
	return wrong
}

func removeStale(path string) error {
	info, err := os.Stat(path)
	if err != nil || time.Since(info.ModTime()) < fresh {
		return nil // it has gone, or may just have been made
	}
	lock := lockFolder(path)
	if lock == nil {
		return nil
	}
	defer lock.Close()
	return remove(path)
}
