package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// endLimit is how long the kernel may take to end what was killed. A process that waits
	// for a file system that hangs takes longer.
	endLimit = 5 * time.Second

	look = 50 * time.Millisecond // at most from one look to the next
)

// end kills everything in a cgroup and below, waits for the end, and removes it.
func end(dir string, byHand bool) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := kill(dir, byHand)
	if err == nil {
		err = remove(dir)
	}
	if err != nil {
		err = fmt.Errorf("cgroup %s: %w", filepath.Base(dir), err)
	}
	return err
}

// kill kills everything, and again what was born meanwhile where the kernel does not see
// to that, until the cgroup is empty.
func kill(dir string, byHand bool) error {
	events, err := os.Open(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return err
	}
	defer events.Close()
	if byHand {
		// Who is frozen makes no more processes, and can be killed. Before Linux 5.2 there
		// is no such file; then the repetition has to do.
		write(dir, "cgroup.freeze", "1")
	} else if err := write(dir, "cgroup.kill", "1"); err != nil {
		return err
	}
	for deadline := time.Now().Add(endLimit); ; {
		if byHand {
			for _, pid := range processes(dir) {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		populated, err := isPopulated(events)
		if err != nil || !populated {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ended %v after KILL: %s", endLimit, remains(dir))
		}
		await(events)
	}
}

// isPopulated reads cgroup.events from its beginning, which also makes the next await
// wait for the next change.
func isPopulated(events *os.File) (bool, error) {
	text := make([]byte, 256)
	n, err := events.ReadAt(text, 0)
	if n == 0 && err != nil {
		return false, err
	}
	return strings.Contains("\n"+string(text[:n]), "\npopulated 1"), nil
}

// await waits until cgroup.events changes, or for a while: a kernel file tells that by
// POLLPRI.
func await(events *os.File) {
	fds := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
	unix.Poll(fds, int(look.Milliseconds()))
}

// processes are those in a cgroup and below.
func processes(dir string) []int {
	var pids []int
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil // it went meanwhile
		}
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			// 0 is one that cannot be seen from here, and for kill(2) this process's own group.
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// maxRemains bounds the processes that an error names.
const maxRemains = 20

// remains says which processes are left: number, name and state, proc_pid_stat(5).
func remains(dir string) string {
	var list []string
	pids := processes(dir)
	for _, pid := range pids[:min(len(pids), maxRemains)] {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		stat := string(text)
		open, shut := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
		if open < 0 || shut < open || len(stat) < shut+3 {
			continue // it has ended
		}
		list = append(list, fmt.Sprintf("pid %d (%.15q) in state %s", pid, stat[open+1:shut], stat[shut+2:shut+3]))
	}
	if more := len(pids) - maxRemains; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}

// remove removes a cgroup and those below, which have to be empty. rmdir(2) alone
// removes them: their files cannot be unlinked.
func remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
