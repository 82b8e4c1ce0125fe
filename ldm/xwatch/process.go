package xwatch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// sighting is what was seen of a process's main thread over a time.
type sighting struct {
	pid     int
	first   uint64 // CPU time at the beginning, in clock ticks
	last    uint64
	looks   int
	waited  bool // it was seen waiting for something, or could not be seen
	running bool // it was seen on a processor, or in the queue for one
	state   byte // the last one, as in proc_pid_stat(5)
}

func begin(pid int) *sighting {
	s := &sighting{pid: pid}
	state, ticks, err := stat(pid)
	s.first, s.last, s.waited = ticks, ticks, err != nil
	s.note(state)
	return s
}

// look looks once.
func (s *sighting) look() {
	state, ticks, err := stat(s.pid)
	if err != nil {
		s.waited = true
		return
	}
	s.last = ticks
	s.note(state)
}

func (s *sighting) note(state byte) {
	s.looks++
	s.state = state
	switch state {
	case 'T', 't', 'D': // stopped, by a debugger too; in the kernel, where nothing reaches it
	case 'R':
		s.running = true
	default:
		s.waited = true
	}
}

// verdict says what keeps the process from its duty; nothing where it waits for something to do, or
// wants to run and gets no processor, which is not its fault.
func (s *sighting) verdict() string {
	switch {
	case s.waited || s.looks < 3:
		return ""
	case s.running && s.last == s.first:
		return ""
	case s.running:
		return "busy without a break"
	}
	return string(s.state)
}

// stat reads state and CPU time of a process's main thread: proc_pid_stat(5), fields 3, 14 and 15. The
// name before them may hold blanks and parentheses.
func stat(pid int) (state byte, ticks uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 || len(fields[0]) != 1 {
		return 0, 0, fmt.Errorf("stat of process %d: %d fields", pid, len(fields))
	}
	for _, field := range fields[11:13] {
		n, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("stat of process %d: %w", pid, err)
		}
		ticks += n
	}
	return fields[0][0], ticks, nil
}
