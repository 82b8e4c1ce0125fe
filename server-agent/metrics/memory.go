package metrics

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Memory adds up the resident memory of processes whose command line begins with one of
// the names, with or without a folder. What is shared is counted for each.
func Memory(names ...string) (bytes int64, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !slices.Contains(names, program(pid)) {
			continue
		}
		bytes += resident(pid)
	}
	return bytes, nil
}

// program returns the name that a process was started by; empty where it has ended.
func program(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	name, _, _ := bytes.Cut(line, []byte{0})
	return filepath.Base(string(name))
}

// resident is the second number of statm (proc_pid_statm(5)), which is in pages.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
