package testbed

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is a process of a machine, in the machine's own numbers.
type Process struct {
	PID, PPID int
	Session   int    // of setsid(2)
	UID       int    // effective
	State     string // as in proc_pid_stat(5): R, S, Z…
	Command   []string
}

func (p Process) String() string {
	return fmt.Sprintf("%d %s uid %d: %s", p.PID, p.State, p.UID, strings.Join(p.Command, " "))
}

// Program is the name of what the process runs, without the folder.
func (p Process) Program() string {
	if len(p.Command) == 0 {
		return ""
	}
	return filepath.Base(p.Command[0])
}

// Processes lists the machine's processes, but for the first one.
func (m *Machine) Processes() ([]Process, error) {
	entries, err := m.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 {
			continue
		}
		if p, err := m.process(pid); err == nil { // else it has ended meanwhile
			found = append(found, p)
		}
	}
	return found, nil
}

func (m *Machine) process(pid int) (Process, error) {
	p := Process{PID: pid}
	folder := fmt.Sprintf("/proc/%d", pid)
	stat, err := m.ReadFile(folder + "/stat")
	if err != nil {
		return p, err
	}
	if err := p.parseStat(stat); err != nil {
		return p, err
	}
	status, err := m.ReadFile(folder + "/status")
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 5 && f[0] == "Uid:" {
			if p.UID, err = strconv.Atoi(f[2]); err != nil {
				return p, err
			}
		}
	}
	cmdline, err := m.ReadFile(folder + "/cmdline")
	if err != nil {
		return p, err
	}
	if text := strings.TrimRight(string(cmdline), "\x00"); text != "" {
		p.Command = strings.Split(text, "\x00")
	}
	return p, nil
}

// parseStat reads "pid (name) state ppid pgrp session …": proc_pid_stat(5). The
// name may hold anything, a parenthesis too.
func (p *Process) parseStat(stat []byte) error {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return fmt.Errorf("stat of process %d has no name", p.PID)
	}
	name := string(stat[bytes.IndexByte(stat, '(')+1 : end])
	f := strings.Fields(string(stat[end+1:]))
	if len(f) < 4 {
		return fmt.Errorf("stat of process %d is short", p.PID)
	}
	p.State = f[0]
	p.Command = []string{"[" + name + "]"} // for one without arguments, such as a zombie
	var err error
	if p.PPID, err = strconv.Atoi(f[1]); err != nil {
		return err
	}
	p.Session, err = strconv.Atoi(f[3])
	return err
}

// Environ returns the environment that a process of the machine was started
// with, "name=value" each.
func (m *Machine) Environ(pid int) ([]string, error) {
	data, err := m.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(data), "\x00"), "\x00"), nil
}

// Mounts returns the text of /proc/self/mounts as the machine sees it.
func (m *Machine) Mounts() (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", m.first.Process.Pid))
	return string(text), err
}
