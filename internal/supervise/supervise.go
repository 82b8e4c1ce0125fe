// Package supervise owns child processes.
//
// A Group starts them, each in a process group of its own, and is the only one
// that waits for them. A child dies with the Group's process, however that
// ends; a child's own stragglers in its process group die with the child, unless
// it may leave them behind.
//
// KILL does not end a process that waits in the kernel, such as for a file system
// that does not answer. The Group gives such a child up after a limit: it counts
// as ended, with a *StuckError, and the log names it.
package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
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

	// Cgroup is the directory of the cgroup (version 2) that the child is born into,
	// open until Start returns; nil for this process's own.
	Cgroup *os.File

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

// NewGroupBeside is NewGroup for children that are born into a pid namespace, by
// its file (namespaces(7)). They die with its first process.
func NewGroupBeside(log *slog.Logger, namespace *os.File) (*Group, error) {
	g := NewGroup(log)
	result := make(chan error)
	// Of the thread alone, and for its children alone: setns(2), CLONE_NEWPID.
	g.start <- func() { result <- unix.Setns(int(namespace.Fd()), unix.CLONE_NEWPID) }
	if err := <-result; err != nil {
		g.Close(0)
		return nil, fmt.Errorf("setns pid: %w", err)
	}
	g.beside = true
	return g, nil
}

// killLimit is how long a child may take to end after KILL, until it is given up.
const killLimit = 2 * time.Second

// StuckError says that a child has not ended although it was killed.
type StuckError struct {
	PID   int
	State string // as in proc_pid_stat(5), such as "D"; empty where unknown
}

// Error implements error.
func (e *StuckError) Error() string {
	return fmt.Sprintf("process %d did not end when it was killed (state %q)", e.PID, e.State)
}

// Process is a child that runs or has run.
type Process struct {
	cmd    *exec.Cmd
	group  *Group
	log    *slog.Logger
	leaves bool
	done   chan struct{} // closed when it has ended, or was given up

	mu     sync.Mutex
	reaped bool
	over   bool  // done is closed
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
	if c.Cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(c.Cgroup.Fd())
	}
	if g.beside {
		// Package syscall would take a parent that is not to be seen from in
		// there for a dead one.
		cmd.SysProcAttr.Pdeathsig = 0
	}

	p := &Process{cmd: cmd, group: g, leaves: c.Leaves, log: cmp.Or(c.Log, g.log).With("process", c.Name), done: make(chan struct{})}
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
	g.waits.Add(1) // until finish
	go p.wait()
	p.log.Info("started", "pid", cmd.Process.Pid)
	return p, nil
}

// wait sees p to its end. The leader is reaped last: as long as it is a zombie
// its number, which is also the process group's, belongs to nobody else.
func (p *Process) wait() {
	pid := p.cmd.Process.Pid
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	if !p.leaves {
		unix.Kill(-pid, unix.SIGKILL)
	}
	p.mu.Lock()
	err := p.cmd.Wait()
	p.reaped = true
	p.mu.Unlock()
	p.log.Info("ended", "status", p.cmd.ProcessState.String())
	p.finish(err)
}

// finish takes the child for ended, once.
func (p *Process) finish(err error) {
	p.mu.Lock()
	over := p.over
	if !over {
		p.over, p.err = true, err
	}
	p.mu.Unlock()
	if over {
		return
	}
	p.group.mu.Lock()
	delete(p.group.children, p)
	p.group.mu.Unlock()
	close(p.done)
	p.group.waits.Done()
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

// Done is closed when the child has ended and was waited for, or was given up.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for the end and returns nil for exit status 0, a *StuckError for a child
// that was given up, else what (*exec.Cmd).Wait says.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the child's process group to end, kills it after grace, and waits. It
// gives up a child that does not end when it is killed.
func (p *Process) Stop(grace time.Duration) {
	if !p.Terminate(grace) {
		p.log.Warn("killed", "after", grace)
		p.Kill()
	}
}

// Terminate asks the child's process group to end, and reports whether it does so
// within grace.
func (p *Process) Terminate(grace time.Duration) bool {
	if p.endsWithin(0) {
		return true
	}
	p.signal(unix.SIGTERM)
	p.signal(unix.SIGCONT) // a stopped process keeps TERM until it runs again
	return p.endsWithin(grace)
}

// Kill kills the child's process group and waits. It gives up a child that does
// not end.
func (p *Process) Kill() {
	p.signal(unix.SIGKILL)
	if p.endsWithin(killLimit) {
		return
	}
	stuck := &StuckError{PID: p.Pid(), State: stateOf(p.Pid())}
	p.log.Error("a killed process does not end; it is left behind", "pid", stuck.PID, "state", stuck.State)
	p.finish(stuck)
}

func (p *Process) endsWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stateOf reads a process's state: proc_pid_stat(5). The name before it may hold
// anything, parentheses too.
func stateOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	state, _, _ := strings.Cut(after, " ")
	return state
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
