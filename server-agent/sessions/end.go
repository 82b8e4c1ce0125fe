package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long a session may take to end: when asked, which is longer than its
// processes have between TERM and the last KILL, and when its agent was killed.
const (
	askedLimit  = 15 * time.Second
	killedLimit = 15 * time.Second
)

const lookInterval = 50 * time.Millisecond

// end ends a session whole and waits for that, within bounds. from is who asked.
func (p process) end(ctx context.Context, members []process, from string, log *slog.Logger) error {
	log.Info("ending another session", "session", p.session.ID, "client", p.session.Client)
	if !p.ending {
		if err := Tell(p.session.ID, p.env.get("XDG_RUNTIME_DIR"), from); err != nil {
			log.Warn("the other session is not told who ends it", "err", err)
		}
		p.signal(syscall.SIGTERM, syscall.SIGCONT)
	}
	if gone(ctx, members, askedLimit) {
		return nil
	}
	p.signal(syscall.SIGKILL) // the keeper does the rest
	if gone(ctx, members, killedLimit) {
		return nil
	}
	return fmt.Errorf("session %s from %q does not end", p.session.ID, p.session.Client)
}

// signal signals the process through a handle, made before another look at what it is.
func (p process) signal(signals ...syscall.Signal) {
	handle, err := os.FindProcess(p.pid)
	if err != nil {
		return
	}
	defer handle.Release()
	if !p.lives() {
		return
	}
	for _, s := range signals {
		handle.Signal(s) // an error means: dead already
	}
}

// gone waits until none of a session's processes is left: the keeper goes last,
// when the files are gone too.
func gone(ctx context.Context, members []process, limit time.Duration) bool {
	over := time.After(limit)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for slices.ContainsFunc(members, process.lives) {
		select {
		case <-tick.C:
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// lives tells whether the process still is what it was. Of a dead one nobody
// waits for, nothing can be read either.
func (p process) lives() bool {
	now := process{pid: p.pid}
	return now.read() == nil && now.session.ID == p.session.ID
}

// lockLimit bounds the wait for other logins of the user, each of which may have a
// session to end.
const lockLimit = time.Minute

// Lock lets one login of this user at a time look for other sessions and begin its own,
// until the lock is closed. It locks a folder of the user's alone, so that no file is left; where
// there is none, a file in the home: any user could lock a folder that others may look into.
func Lock(ctx context.Context, runtime, home string) (io.Closer, error) {
	f, err := openLock(runtime, home)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), context.Cause(ctx))
		}
	}
}

// lockFile is the file in the home that is locked.
const lockFile = ".ltsp-login.lock"

func openLock(runtime, home string) (*os.File, error) {
	for _, base := range append(runtimes(runtime), home) {
		if CheckPrivate(base) == nil {
			return os.OpenFile(base, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		}
	}
	return openPlain(filepath.Join(home, lockFile), os.O_RDWR|os.O_CREATE)
}

// EndOthers ends all other sessions of this process's user on this server, those that
// are ending included, and waits for that. from is the client that asks.
func EndOthers(ctx context.Context, id, from string, log *slog.Logger) error {
	found, err := scan()
	for _, p := range found {
		if !p.isOther(id) {
			continue
		}
		members := slices.DeleteFunc(slices.Clone(found), func(m process) bool {
			return m.uid != p.uid || m.session.ID != p.session.ID
		})
		err = errors.Join(err, p.end(ctx, members, from, log))
	}
	return err
}
