package cgroup

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	prefix = "ldm-" // of the name of a Tree's directory
	self   = "ldm"  // its leaf for this process

	maxTries = 5 // to make a Tree's directory
)

// controllers are those that limits need.
var controllers = []string{"memory", "pids"}

// Tree is this process's part of the hierarchy. Its methods may be called from
// several goroutines.
type Tree struct {
	log      *slog.Logger
	above    string   // the cgroup that this process was started in
	dir      string   // empty where there is no cgroup v2
	lock     *os.File // of dir: flock(2) says that we live
	enabled  []string // controllers that logins have
	raised   []string // those of them that above did not pass on before
	problems []string
	byHand   bool // the kernel has no cgroup.kill: before Linux 5.14

	mu     sync.Mutex
	logins map[*Login]struct{}
}

// Open moves this process into a leaf of its own, enables the controllers for logins,
// and ends what an earlier process left that was killed. It has to come before
// this process starts any other. What is not to be had is in Problems, and in the log.
func Open(log *slog.Logger) *Tree {
	above, err := find()
	return open(log, above, err)
}

func open(log *slog.Logger, above string, err error) *Tree {
	t := &Tree{log: log, above: above, logins: make(map[*Login]struct{})}
	if err == nil {
		t.sweep()
		// Where two processes start at once one may take the other's new directory for
		// one that was left.
		for try := 1; try == 1 || err != nil && try <= maxTries; try++ {
			err = t.make()
		}
	}
	if err != nil {
		t.problem("No cgroup holds a login's programs together (%v): their pid namespace and resource limits do.", err)
		return t
	}
	var missing []string
	for _, c := range controllers {
		if err := t.enable(c); err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", c, err))
			continue
		}
		t.enabled = append(t.enabled, c)
	}
	if len(missing) > 0 {
		t.problem("A login as a whole is not bounded in %s (%s): the limits of each program are.",
			strings.Join(names(missing), " and "), strings.Join(missing, "; "))
	}
	return t
}

// names are what stands before the colons.
func names(list []string) []string {
	var names []string
	for _, text := range list {
		name, _, _ := strings.Cut(text, ":")
		names = append(names, name)
	}
	return names
}

func (t *Tree) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.problems = append(t.problems, text)
	t.log.Warn("cgroups", "problem", text)
}

// Problems are sentences about what is missing here.
func (t *Tree) Problems() []string { return slices.Clone(t.problems) }

// make makes the directory and moves this process into its leaf.
func (t *Tree) make() error {
	dir, err := os.MkdirTemp(t.above, prefix)
	if err != nil {
		return err
	}
	if t.lock, err = lock(dir); err == nil {
		// Only a leaf may have processes where controllers are enabled for children
		// ("no internal process constraint").
		leaf := filepath.Join(dir, self)
		if err = os.Mkdir(leaf, 0o755); err == nil {
			err = write(leaf, "cgroup.procs", "0") // the writer's own process
		}
	}
	if err != nil {
		remove(dir)
		return err
	}
	t.dir, t.byHand = dir, lacksKill(dir)
	return nil
}

func lacksKill(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.kill"))
	return errors.Is(err, os.ErrNotExist)
}

// lock opens a directory and marks it as one whose owner lives. The kernel takes the
// mark away with the process.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// enable has a controller limit what is two levels below: logins.
func (t *Tree) enable(controller string) error {
	for _, dir := range []string{t.above, t.dir} {
		have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil {
			return err
		}
		if !slices.Contains(strings.Fields(string(have)), controller) {
			return fmt.Errorf("no such controller in %s", t.above)
		}
		on, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		if err != nil {
			return err
		}
		if slices.Contains(strings.Fields(string(on)), controller) {
			continue
		}
		if err := write(dir, "cgroup.subtree_control", "+"+controller); err != nil {
			return err
		}
		if dir == t.above {
			t.raised = append(t.raised, controller)
		}
	}
	return nil
}

// sweep ends and removes what processes left that did not end in order.
func (t *Tree) sweep() {
	old, err := filepath.Glob(filepath.Join(t.above, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		f, err := lock(dir)
		if err != nil { // its owner lives
			continue
		}
		err = end(dir, lacksKill(dir))
		f.Close()
		t.log.Info("ended the cgroups of an ldm that was killed", "cgroup", dir)
		if err != nil {
			t.log.Error("something of an earlier ldm is left", "cgroup", dir, "cause", err)
		}
	}
}

// Close ends all logins, and gives the cgroup back as it was.
func (t *Tree) Close() error {
	if t.dir == "" {
		return nil
	}
	t.mu.Lock()
	logins := t.logins
	t.logins = nil
	t.mu.Unlock()
	var errs []error
	for l := range logins {
		errs = append(errs, l.end())
	}
	for _, c := range t.enabled {
		write(t.dir, "cgroup.subtree_control", "-"+c)
	}
	for _, c := range t.raised {
		write(t.above, "cgroup.subtree_control", "-"+c) // another process may use it by now
	}
	// A cgroup that has children with controllers takes no process: then this one
	// stays in the leaf, and the next Open removes it.
	if write(t.above, "cgroup.procs", "0") == nil {
		errs = append(errs, remove(t.dir))
	}
	t.lock.Close()
	return errors.Join(errs...)
}

// write writes to a file of a cgroup. It never makes one.
func write(dir, name, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
