package wrap

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// giveUp bounds the time after the first KILL. Only processes that we may not
// signal (a set-user-ID program's) or that hang in the kernel get so far.
const giveUp = 5 * time.Second

// How often new processes are looked for while a session ends. Each time all of
// /proc is read twice, which on a full server takes a while.
const (
	termInterval = 500 * time.Millisecond
	killInterval = 50 * time.Millisecond
)

// end ends all processes below us: TERM, Grace, KILL until none is left. Each gets
// TERM once, since programs take a second one for impatience; processes that come
// after the first pass get theirs when they are seen.
func (s *session) end() {
	t := tree{root: os.Getpid()}
	asked := make(map[identity]bool)
	if s.passes(s.cfg.Grace, termInterval, func() {
		t.signal(func(p identity) []syscall.Signal {
			if asked[p] {
				return nil
			}
			asked[p] = true
			// CONT, for a stopped process keeps TERM until it runs again.
			return []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT}
		})
	}) {
		return
	}
	if !s.passes(giveUp, killInterval, func() {
		t.signal(func(identity) []syscall.Signal { return []syscall.Signal{syscall.SIGKILL} })
	}) {
		s.log.Error("processes of the session cannot be ended", "pids", t.below())
	}
}

// passes calls pass at once and then at each interval until no process is left
// below us; false after the limit.
func (s *session) passes(limit, interval time.Duration, pass func()) bool {
	over := time.After(limit)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for pass(); !s.reap(); {
		select {
		case <-s.children:
		case <-ticker.C:
			pass()
		case <-over:
			return s.reap()
		}
	}
	return true
}

// reap waits for all children that have died, and reports whether there are no
// children left. As orphans become our children, there is then nothing below us.
func (s *session) reap() (none bool) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD
			return true
		case pid == 0:
			return false
		case pid == s.desktop:
			s.exited, s.status = true, shellStatus(status)
		}
	}
}

// shellStatus is the exit status that a shell gives: POSIX, 2.8.2.
func shellStatus(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
