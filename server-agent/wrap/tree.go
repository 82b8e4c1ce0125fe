package wrap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// identity names a process for good: numbers are used again, but not within
// one tick of the clock.
type identity struct {
	pid   int
	start uint64 // in clock ticks after boot
}

// stat is what we need of /proc/PID/stat.
type stat struct {
	parent int
	start  uint64
}

// snapshot maps process ids to what /proc said of them. It is not taken at one
// moment: each entry is true for the moment when it was read.
type snapshot map[int]stat

// tree is the processes below root.
type tree struct{ root int }

// signal sends each process below root the signals that choose returns for it.
//
// A process is only signalled through a handle (a pidfd) made before the second of
// two snapshots, and only if it hangs below root by links that both snapshots
// have. Such a link stands, between the snapshots, for one living child and its one
// living parent, since neither's start time changed; so the process is below
// us, and a handle that means another one, which had the number before, signals
// nothing.
func (t tree) signal(choose func(identity) []syscall.Signal) {
	first := takeSnapshot()
	handles := make(map[int]*os.Process)
	for _, pid := range first.below(t.root) {
		p, _ := os.FindProcess(pid) // never fails on Unix
		defer p.Release()
		handles[pid] = p
	}
	both := first.intersect(takeSnapshot())
	for _, pid := range both.below(t.root) {
		for _, sig := range choose(identity{pid, both[pid].start}) {
			handles[pid].Signal(sig) // an error means: dead already, or not ours to end
		}
	}
}

// below returns the processes below root, for the log.
func (t tree) below() []int { return takeSnapshot().below(t.root) }

// takeSnapshot reads /proc. Processes that end meanwhile are left out.
func takeSnapshot() snapshot {
	entries, _ := os.ReadDir("/proc") // entries read before an error count
	s := make(snapshot, len(entries))
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if st, err := parseStat(line); err == nil {
			s[pid] = st
		}
	}
	return s
}

// intersect returns the entries that both snapshots have.
func (s snapshot) intersect(other snapshot) snapshot {
	both := make(snapshot, len(s))
	for pid, st := range s {
		if other[pid] == st {
			both[pid] = st
		}
	}
	return both
}

// below returns the processes below root, children before grandchildren.
func (s snapshot) below(root int) []int {
	children := make(map[int][]int)
	for pid, st := range s {
		if pid != root { // with one parent each, no process comes twice then
			children[st.parent] = append(children[st.parent], pid)
		}
	}
	found := slices.Clone(children[root])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// The fields of /proc/PID/stat that count, by the numbers of proc_pid_stat(5).
const (
	fieldState  = 3
	fieldParent = 4
	fieldStart  = 22
)

// parseStat parses /proc/PID/stat. A program chooses its name, which may hold blanks
// and parentheses, so the fields are counted from the last parenthesis.
func parseStat(line []byte) (stat, error) {
	i := bytes.LastIndexByte(line, ')')
	if i < 0 {
		return stat{}, errors.New("stat: no program name")
	}
	fields := bytes.Fields(line[i+1:]) // from fieldState on
	if len(fields) <= fieldStart-fieldState {
		return stat{}, fmt.Errorf("stat: %d fields after the name", len(fields))
	}
	parent, err := strconv.Atoi(string(fields[fieldParent-fieldState]))
	if err != nil {
		return stat{}, fmt.Errorf("stat: parent: %w", err)
	}
	start, err := strconv.ParseUint(string(fields[fieldStart-fieldState]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("stat: start time: %w", err)
	}
	return stat{parent, start}, nil
}
