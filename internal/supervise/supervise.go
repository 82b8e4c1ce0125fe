// Package supervise owns child processes.
//
// A Group starts them, each in a process group of its own, and is the only one
// that waits for them. A child dies with the Group's process, however that
// ends; a child's own stragglers in its process group die with the child, unless
// it may leave them behind.
package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command says what to run.
type Command struct {
	Name  string       // for the log
	Log   *slog.Logger // nil for the group's
	Args  []string     // Args[0] is the program, a path or a name on PATH
	Env   []string     // the whole environment
	Dir   string
	Files []*os.File // descriptors 3 and up, closed here once the child has them

	// Leaves spares what the child leaves in its process group: somebody else ends
	// that.
	Leaves bool

	// Namespaces are flags of clone(2), CLONE_NEW….
	Namespaces uintptr

	Stdin          *os.File
	Stdout, Stderr *os.File // nil for /dev/null
}

// Group owns the children that it started.
type Group struct {
	log    *slog.Logger
	start  chan func()
	beside bool // made by NewGroupBeside

	mu       sync.Mutex
	closed   bool
	children map[*Process]struct{}
	waits    sync.WaitGroup
}

// NewGroup returns a group that logs beginnings and ends to log.
func NewGroup(log *slog.Logger) *Group {
	g := &Group{log: log, start: make(chan func()), children: make(map[*Process]struct{})}
	// A child's death signal comes when the thread that made it ends
	// (prctl(2), PR_SET_PDEATHSIG), so one thread makes them all.
	g.waits.Go(func() {
		runtime.LockOSThread()
		for f := range g.start {
			f()
		}
	})
	return g
}

// NewGroupBeside is NewGroup for children that are born into the pid namespace
// whose first process pidfd refers to (pidfd_open(2)). They die with that one.
func NewGroupBeside(log *slog.Logger, pidfd *os.File) (*Group, error) {
	g := NewGroup(log)
	result := make(chan error)
	// Of the thread alone, and for its children alone: setns(2), CLONE_NEWPID.
	g.start <- func() { result <- unix.Setns(int(pidfd.Fd()), unix.CLONE_NEWPID) }
	if err := <-result; err != nil {
		g.Close(0)
		return nil, fmt.Errorf("setns pid: %w", err)
	}
	g.beside = true
	return g, nil
}

// Process is a child that runs or has run.
type Process struct {
	cmd    *exec.Cmd
	log    *slog.Logger
	leaves bool
	done   chan struct{}

	mu     sync.Mutex
	reaped bool
	err    error // valid once done is closed
}

// Start starts a child. Its Files are closed in any case.
func (g *Group) Start(c Command) (*Process, error) {
	defer func() {
		for _, f := range c.Files {
			f.Close()
		}
	}()
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = c.Env, c.Dir, c.Files
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: c.Namespaces}
	if g.beside {
		// Package syscall would take a parent that is not to be seen from in
		// there for a dead one.
		cmd.SysProcAttr.Pdeathsig = 0
	}

	p := &Process{cmd: cmd, leaves: c.Leaves, log: cmp.Or(c.Log, g.log).With("process", c.Name), done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, fmt.Errorf("start %s: %w", c.Name, os.ErrClosed)
	}
	result := make(chan error)
	g.start <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	g.children[p] = struct{}{}
	g.waits.Go(func() { g.wait(p) })
	p.log.Info("started", "pid", cmd.Process.Pid)
	return p, nil
}

// wait sees p to its end. The leader is reaped last: as long as it is a zombie
// its number, which is also the process group's, belongs to nobody else.
func (g *Group) wait(p *Process) {
	pid := p.cmd.Process.Pid
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	if !p.leaves {
		unix.Kill(-pid, unix.SIGKILL)
	}
	p.mu.Lock()
	p.err = p.cmd.Wait()
	p.reaped = true
	p.mu.Unlock()

	g.mu.Lock()
	delete(g.children, p)
	g.mu.Unlock()
	p.log.Info("ended", "status", p.cmd.ProcessState.String())
	close(p.done)
}

// Close stops every child, waits for all, and lets no new one start.
func (g *Group) Close(grace time.Duration) {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	var stops sync.WaitGroup
	for p := range g.children {
		stops.Go(func() { p.Stop(grace) })
	}
	g.mu.Unlock()
	stops.Wait()
	if first {
		close(g.start) // not earlier: the end of the thread kills its children
	}
	g.waits.Wait()
}

// Pid is the child's number, as this process sees it.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Pidfd opens a descriptor that stands for the child, whatever becomes of its
// number. It fails once the child has ended.
func (p *Process) Pidfd() (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil, os.ErrProcessDone
	}
	fd, err := unix.PidfdOpen(p.cmd.Process.Pid, 0) // close-on-exec by itself
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// Done is closed when the child has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for the end and returns nil for exit status 0, else what
// (*exec.Cmd).Wait says.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the child's process group to end, kills it after grace, and waits.
func (p *Process) Stop(grace time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	p.signal(unix.SIGTERM)
	p.signal(unix.SIGCONT) // a stopped process keeps TERM until it runs again
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	}
	p.log.Warn("killed", "after", grace)
	p.signal(unix.SIGKILL)
	<-p.done
}

// signal reaches the whole process group, as long as the leader is there to
// hold the number.
func (p *Process) signal(s unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		unix.Kill(-p.cmd.Process.Pid, s)
	}
}
