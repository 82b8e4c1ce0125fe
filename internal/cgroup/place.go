package cgroup

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

var errNone = errors.New("no cgroup v2 is mounted")

// find returns the directory of this process's own cgroup.
func find() (string, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return locate(string(groups), string(mounts))
}

// locate finds the directory by the contents of /proc/PID/cgroup (cgroups(7)) and
// /proc/PID/mountinfo (proc_pid_mountinfo(5)). Besides the hierarchies of version 1 the
// one of version 2 may be mounted anywhere.
func locate(groups, mounts string) (string, error) {
	own := ""
	for line := range strings.Lines(groups) {
		if group, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			own = group
		}
	}
	if !path.IsAbs(own) || strings.HasPrefix(own, "/..") { // outside of the cgroup namespace
		return "", errNone
	}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		root, point := unescape(fields[3]), unescape(fields[4])
		if below, ok := strings.CutPrefix(own, strings.TrimSuffix(root, "/")); ok && (below == "" || below[0] == '/') {
			return filepath.Join(point, below), nil
		}
	}
	return "", errNone
}

// unescape undoes \040 and the like of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
