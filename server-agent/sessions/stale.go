package sessions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

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

// RemoveStale ends what this user's sessions left of which both keeper and wrapper were
// killed: processes, then folders. runtime is as in MakeFolder.
func RemoveStale(runtime string) error {
	stale := make(map[string][]string) // folders by id
	for _, base := range append(runtimes(runtime), temporary...) {
		entries, _ := os.ReadDir(base)
		for _, entry := range entries {
			id, ours := strings.CutPrefix(entry.Name(), prefix)
			if path := filepath.Join(base, entry.Name()); ours && ValidID(id) && CheckPrivate(path) == nil {
				stale[id] = append(stale[id], path)
			}
		}
	}
	// Looked for after the folders: a session's keeper is there before its folder is.
	living, wrong := scan()
	for id, folders := range stale {
		if !slices.ContainsFunc(living, func(p process) bool { return p.session.ID == id }) {
			wrong = errors.Join(wrong, removeStale(id, folders))
		}
	}
	return wrong
}

func removeStale(id string, folders []string) error {
	var wrong error
	for _, path := range folders {
		lock := lockFolder(path) // which another container's session may have, that /proc does not show
		if lock == nil {
			continue
		}
		wrong = errors.Join(wrong, endRemains(id), remove(path))
		lock.Close()
	}
	return wrong
}

// How long what is left of a dead session may take to end by itself, and after KILL.
const (
	remainsGrace = time.Second
	remainsLimit = 5 * time.Second
)

// endRemains ends the processes of a session that has no keeper any more, which are
// known by their environment.
func endRemains(id string) error {
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} // a stopped one hears TERM once it goes on
	for began := time.Now(); ; time.Sleep(lookInterval) {
		left, err := remains(id)
		if len(left) == 0 || err != nil {
			return err
		}
		waited := time.Since(began)
		if waited > remainsLimit {
			return fmt.Errorf("processes %d of a session that was killed do not end", left)
		}
		if waited > remainsGrace {
			signals = []syscall.Signal{syscall.SIGKILL}
		}
		for _, pid := range left {
			signalRemains(pid, id, signals)
		}
		if waited <= remainsGrace {
			signals = nil // TERM once, since programs take a second one for impatience
		}
	}
}

// remains returns the living processes of this user with a session's id in their environment.
func remains(id string) (found []int, err error) {
	err = walk(func(pid int, _ []string) {
		if ofSession(pid, id) {
			found = append(found, pid)
		}
	})
	return found, err
}

// ofSession tells whether a process is this user's, and was started in a session. Of a
// dead one, and of most of others' processes, the environment cannot be read.
func ofSession(pid int, id string) bool {
	p := process{pid: pid}
	return p.read() == nil && p.session.ID == id && p.uid == os.Getuid()
}

// signalRemains signals through a handle, made before another look at what it is.
func signalRemains(pid int, id string, signals []syscall.Signal) {
	handle, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer handle.Release()
	for _, s := range signals {
		if ofSession(pid, id) {
			handle.Signal(s) // an error means: dead already
		}
	}
}
