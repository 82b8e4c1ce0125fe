package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Limits are those of a login as a whole; 0 stands for none.
type Limits struct {
	MemoryHigh int64 // bytes from which its programs are slowed down and reclaimed from
	MemoryMax  int64 // bytes at which one of them is killed
	Tasks      int   // threads, of all its programs
}

const (
	highPercent = 65 // of the machine's memory
	maxPercent  = 75 // the rest is the X server's, ldm's and the kernel's
	maxTasks    = 4096
)

// DefaultLimits are a share of this machine.
func DefaultLimits() (Limits, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return Limits{}, fmt.Errorf("sysinfo: %w", err)
	}
	total := int64(info.Totalram) * int64(info.Unit)
	return Limits{MemoryHigh: total / 100 * highPercent, MemoryMax: total / 100 * maxPercent, Tasks: maxTasks}, nil
}

// Login is the cgroup of a login. Its methods may be called from several goroutines.
type Login struct {
	tree *Tree
	dir  string // empty where there are no cgroups

	mu     sync.Mutex
	ended  bool
	last   int
	closed []string // directories of programs that were not empty when they were closed

	ends sync.WaitGroup // of what Start started
}

// Login makes the cgroup of a login, of which id is the name in the log. An error
// still comes with a Login, one without limits or without a cgroup.
func (t *Tree) Login(id string, limits Limits) (*Login, error) {
	l := &Login{tree: t}
	if t.dir == "" {
		return l, nil
	}
	dir := filepath.Join(t.dir, "login-"+clean(id))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return l, err
	}
	l.dir = dir
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.logins == nil { // it is closed
		l.dir = ""
		return l, remove(dir)
	}
	t.logins[l] = struct{}{}
	return l, l.limit(limits)
}

func (l *Login) limit(limits Limits) error {
	var files [][2]string
	if slices.Contains(l.tree.enabled, "memory") {
		files = append(files, [2]string{"memory.high", number(limits.MemoryHigh)}, [2]string{"memory.max", number(limits.MemoryMax)})
		files = append(files, [2]string{"cgroup.subtree_control", "+memory"}) // for memory.oom.group
	}
	if slices.Contains(l.tree.enabled, "pids") {
		files = append(files, [2]string{"pids.max", number(int64(limits.Tasks))})
	}
	for _, f := range files {
		if err := write(l.dir, f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

func number(n int64) string {
	if n == 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// Leaf is the cgroup of one program of a login.
type Leaf struct {
	login *Login
	dir   string
	file  *os.File // nil where there are no cgroups
}

// Program makes the cgroup of a program that a person started. Where the login's
// memory is used up, such a program is killed as a whole, with all that it started, and
// the login's other programs go on.
func (l *Login) Program(name string) (*Leaf, error) {
	leaf, err := l.leaf(name)
	if err != nil || leaf.dir == "" || !slices.Contains(l.tree.enabled, "memory") {
		return leaf, err
	}
	if err := write(leaf.dir, "memory.oom.group", "1"); err != nil {
		leaf.Close()
		return nil, err
	}
	return leaf, nil
}

// Service makes the cgroup of what serves the session: home, sound, a bus.
func (l *Login) Service(name string) (*Leaf, error) { return l.leaf(name) }

func (l *Login) leaf(name string) (*Leaf, error) {
	if l.dir == "" {
		return &Leaf{login: l}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, fmt.Errorf("cgroup of %s: %w", name, os.ErrClosed)
	}
	l.tidy()
	l.last++
	dir := filepath.Join(l.dir, fmt.Sprintf("%d-%s", l.last, clean(name)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		os.Remove(dir)
		return nil, err
	}
	return &Leaf{login: l, dir: dir, file: f}, nil
}

// tidy removes the cgroups of programs that are closed and empty by now; under the lock.
func (l *Login) tidy() {
	l.closed = slices.DeleteFunc(l.closed, func(dir string) bool { return os.Remove(dir) == nil })
}

// File is the directory for clone(2) with CLONE_INTO_CGROUP, which
// supervise.Command.Cgroup takes; nil where there are no cgroups. It is open until Close.
func (p *Leaf) File() *os.File { return p.file }

// Close is for the program's end, or when it did not start. What it left behind
// goes on in its cgroup until the login ends.
func (p *Leaf) Close() {
	if p.file == nil {
		return
	}
	p.file.Close()
	p.login.mu.Lock()
	defer p.login.mu.Unlock()
	if os.Remove(p.dir) != nil && !p.login.ended {
		p.login.closed = append(p.login.closed, p.dir)
	}
}

// Close kills every process of the login at once, waits some seconds until the
// kernel has none of them, and removes the cgroup. The error names each process that is
// left.
func (l *Login) Close() error {
	if l == nil {
		return nil
	}
	defer l.ends.Wait()
	if l.dir == "" {
		return nil
	}
	l.tree.mu.Lock()
	delete(l.tree.logins, l)
	l.tree.mu.Unlock()
	return l.end()
}

func (l *Login) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	l.ended = true
	return end(l.dir, l.tree.byHand)
}

// clean makes a name fit for a directory and for people.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 40)]
}
