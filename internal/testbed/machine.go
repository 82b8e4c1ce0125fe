package testbed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Machine is one of the two machines. Its methods may be called from several
// goroutines.
type Machine struct {
	Name string // its host name

	thread   *thread   // on which its processes are started
	first    *exec.Cmd // its process 1
	lifeline *os.File  // our end
	root     *os.Root  // its root folder
	bed      *Bed
	prefix   netip.Prefix
	prefix6  netip.Prefix
	hardware net.HardwareAddr // of its end of the cable

	mu       sync.Mutex
	closing  bool
	commands []*Cmd // started and not waited for
}

// newMachine starts a machine, which has no network yet.
func newMachine(p plan) (*Machine, error) {
	m := &Machine{Name: p.Hostname, thread: newThread()}
	if err := m.start(p); err != nil {
		m.Close()
		return nil, fmt.Errorf("machine %s: %w", p.Hostname, err)
	}
	return m, nil
}

func (m *Machine) start(p plan) error {
	lifelineIn, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	defer lifelineIn.Close()
	m.lifeline = lifeline
	report, reportIn, err := os.Pipe()
	if err != nil {
		return err
	}
	defer report.Close()
	first := &exec.Cmd{
		Path:       self,
		Args:       []string{machineName},
		Env:        []string{},
		ExtraFiles: []*os.File{lifelineIn, reportIn}, // lifelineFD, reportFD
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
			Pdeathsig:  unix.SIGKILL,
			Setsid:     true, // a Ctrl-C on our terminal is ours to answer
		},
	}
	err = m.thread.do(first.Start)
	reportIn.Close()
	if err != nil {
		return err
	}
	m.first = first
	if err := json.NewEncoder(lifeline).Encode(p); err != nil {
		return fmt.Errorf("hand over the plan: %w", err)
	}
	if text, err := io.ReadAll(report); err != nil || len(text) > 0 {
		return errors.Join(err, errors.New(string(text)))
	}
	if m.root, err = os.OpenRoot(fmt.Sprintf("/proc/%d/root", first.Process.Pid)); err != nil {
		return err
	}
	return m.thread.do(m.adopt)
}

// adopt lets the machine's thread start its processes inside the machine's PID
// namespace; setns(2) of a PID namespace concerns children only.
func (m *Machine) adopt() error {
	ns, err := os.Open(m.namespace("pid"))
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("setns pid: %w", err)
	}
	return nil
}

// Address returns its IPv4 address.
func (m *Machine) Address() netip.Addr { return m.prefix.Addr() }

// Address6 returns its IPv6 address.
func (m *Machine) Address6() netip.Addr { return m.prefix6.Addr() }

// namespace returns the file that stands for one of its namespaces.
func (m *Machine) namespace(kind string) string {
	return fmt.Sprintf("/proc/%d/ns/%s", m.first.Process.Pid, kind)
}

// Close ends the machine with everything on it, and returns once all is gone.
func (m *Machine) Close() error {
	m.mu.Lock()
	if m.closing {
		m.mu.Unlock()
		return nil
	}
	m.closing = true
	commands := slices.Clone(m.commands)
	m.mu.Unlock()

	if m.lifeline != nil {
		m.lifeline.Close()
	}
	if m.first != nil {
		m.first.Process.Kill()
		// A PID namespace ends only when those of its processes that are our
		// children have been waited for: pid_namespaces(7).
		for _, c := range commands {
			c.Wait()
		}
		m.first.Wait()
	}
	if m.root != nil {
		m.root.Close()
	}
	m.thread.stop()
	return nil
}

// ReadFile returns what a file of the machine holds.
func (m *Machine) ReadFile(name string) ([]byte, error) {
	data, err := m.root.ReadFile(relative(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	return data, nil
}

// WriteFile writes a file of the machine, with the folders that lead to it, for root.
func (m *Machine) WriteFile(name string, data []byte, mode fs.FileMode) error {
	// A child between fork and exec would hold the file open for writing, and a
	// script that is run at that moment is busy: execve(2), ETXTBSY.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	name = relative(name)
	if err := m.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := m.root.WriteFile(name, data, mode); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return m.root.Chmod(name, mode) // whatever our umask
}

// Stat describes a file of the machine.
func (m *Machine) Stat(name string) (fs.FileInfo, error) { return m.root.Stat(relative(name)) }

// ReadDir lists a folder of the machine.
func (m *Machine) ReadDir(name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(m.root.FS(), relative(name))
}

// relative makes a path of the machine one within its root.
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name != "" {
		return name
	}
	return "."
}
