package sessions

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is one of the agent's processes of a session.
type process struct {
	pid     int
	uid     int
	keeper  bool // else it is the wrapper
	ending  bool // a wrapper whose session ends
	session Session
	env     environment
}

// Bounds of what is read of a process, in bytes.
const (
	maxCmdline = 16 << 10
	maxEnviron = 1 << 20
)

// environment is as in /proc/PID/environ.
type environment []byte

func (e environment) get(name string) string {
	for entry := range bytes.SplitSeq(e, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// scan returns the processes of sessions that this process may look into.
// Those that end meanwhile are left out.
func scan() ([]process, error) {
	var found []process
	err := walk(func(pid int, argv []string) {
		wrapper := len(argv) > 1 && filepath.Base(argv[0]) == Wrapper && argv[1] == Desktop
		if !wrapper && !isKeeper(argv) {
			return
		}
		p := process{pid: pid, keeper: !wrapper}
		if p.read() == nil {
			found = append(found, p)
		}
	})
	return found, err
}

func isKeeper(argv []string) bool { return len(argv) > 0 && argv[0] == Keeper }

// walk calls f for every process, with its command line.
func walk(f func(pid int, argv []string)) error {
	entries, err := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := readFile(pid, "cmdline", maxCmdline)
		if err == nil && len(line) > 0 {
			f(pid, strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00"))
		}
	}
	return err
}

// read fills in what the process says of itself.
func (p *process) read() error {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid))
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("process %d: no owner", p.pid)
	}
	p.uid = int(stat.Uid)
	if p.env, err = readFile(p.pid, "environ", maxEnviron); err != nil {
		return err
	}
	comm, err := readFile(p.pid, "comm", maxCmdline)
	if err != nil {
		return err
	}
	p.ending = strings.TrimSpace(string(comm)) == endingComm
	if p.session, ok = newSession(p.env); !ok {
		return fmt.Errorf("process %d: no session", p.pid)
	}
	return nil
}

func readFile(pid int, name string, limit int64) ([]byte, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
