package wrap

import (
	"log/slog"
	"os"
	"os/signal"
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

// brood is the processes below us, of which one is the first. It belongs to one
// goroutine
type brood struct {
	grace    time.Duration // between TERM and KILL
	log      *slog.Logger
	children chan os.Signal

	first  int // process id; 0 before the start
	exited bool
	status unix.WaitStatus // of the first
}

// newBrood makes this process the one that orphans below it come to.
func newBrood(grace time.Duration, log *slog.Logger) (*brood, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("become child subreaper", err)
	}
	b := &brood{grace: grace, log: log, children: make(chan os.Signal, 1)}
	signal.Notify(b.children, syscall.SIGCHLD)
	return b, nil
}

func (b *brood) close() { signal.Stop(b.children) }

// end ends all processes below us: TERM, grace, KILL until none is left. Each gets
// TERM once, since programs take a second one for impatience; processes that come
// after the first pass get theirs when they are seen.
func (b *brood) end() {
	t := tree{root: os.Getpid()}
	asked := make(map[identity]bool)
	if b.passes(b.grace, termInterval, func() {
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
	if !b.passes(giveUp, killInterval, func() {
		t.signal(func(identity) []syscall.Signal { return []syscall.Signal{syscall.SIGKILL} })
	}) {
		b.log.Error("processes of the session cannot be ended", "pids", t.below())
	}
}

// passes calls pass at once and then at each interval until no process is left
// below us; false after the limit.
func (b *brood) passes(limit, interval time.Duration, pass func()) bool {
	over := time.After(limit)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for pass(); !b.reap(); {
		select {
		case <-b.children:
		case <-ticker.C:
			pass()
		case <-over:
			return b.reap()
		}
	}
	return true
}

// reap waits for all children that have died, and reports whether there are no
// children left. As orphans become our children, there is then nothing below us.
func (b *brood) reap() (none bool) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD
			return true
		case pid == 0:
			return false
		case pid == b.first:
			b.exited, b.status = true, status
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
