package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Cmd is a command on a machine. It is used as an exec.Cmd: its process, its
// signals and its exit status are the command's own. Env and Dir are the
// machine's; ExtraFiles, pipes and files are handed on as they are.
type Cmd struct {
	*exec.Cmd
	machine *Machine
	entry   entry

	wait    sync.Once
	waitErr error
}

// Command returns a command that runs as a user of the machine, by name or as
// "uid:gid", with the groups and the environment of a fresh login. When ctx is
// done the command is killed.
func (m *Machine) Command(ctx context.Context, username string, argv ...string) *Cmd {
	c := &Cmd{Cmd: exec.CommandContext(ctx, self), machine: m}
	u, err := m.lookup(username)
	if err != nil {
		c.Err = err
		return c
	}
	c.entry = entry{User: u, Dir: u.Home, Argv: argv}
	c.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", "HOME=" + u.Home, "SHELL=" + u.Shell, "USER=" + u.Name, "LOGNAME=" + u.Name,
	}
	c.WaitDelay = 5 * time.Second // a daemon that it left behind may hold its output
	return c
}

// Start starts the command inside the machine.
func (c *Cmd) Start() error {
	m := c.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return fmt.Errorf("start %q on %s: the machine is closed", c.entry.Argv, m.Name)
	}
	c.entry.Machine = m.first.Process.Pid
	if c.Dir != "" {
		c.entry.Dir, c.Dir = c.Dir, ""
	}
	arg, err := json.Marshal(c.entry)
	if err != nil {
		return err
	}
	c.Args = []string{enterName, string(arg)}
	if err := m.thread.do(c.Cmd.Start); err != nil {
		return fmt.Errorf("start %q on %s: %w", c.entry.Argv, m.Name, err)
	}
	m.commands = append(m.commands, c)
	return nil
}

// Wait waits for the command's end; it may be called any number of times.
func (c *Cmd) Wait() error {
	c.wait.Do(func() {
		c.waitErr = c.Cmd.Wait()
		m := c.machine
		m.mu.Lock()
		defer m.mu.Unlock()
		m.commands = slices.DeleteFunc(m.commands, func(other *Cmd) bool { return other == c })
	})
	return c.waitErr
}

// Run starts the command and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output. Its error quotes
// what the command said on standard error.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("standard output is already taken")
	}
	var stdout, stderr bytes.Buffer
	c.Stdout = &stdout
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	err := c.Run()
	if err != nil {
		err = fmt.Errorf("%q on %s: %w: %s", c.entry.Argv, c.machine.Name, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the command and returns its standard output and error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("standard output or error is already taken")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// StartOnTerminal starts the command as the first of a session on a terminal of
// the machine, and returns the terminal's other side, which the caller closes.
func (c *Cmd) StartOnTerminal() (*os.File, error) {
	dev, err := c.machine.root.OpenFile("dev/pts/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	tty, err := c.machine.openPeer(dev)
	if err != nil {
		dev.Close()
		return nil, err
	}
	defer tty.Close()
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.entry.TTY = true
	if err := c.Start(); err != nil {
		dev.Close()
		return nil, err
	}
	return dev, nil
}

// openPeer opens the side of a terminal that a command gets: pts(4).
func (m *Machine) openPeer(dev *os.File) (*os.File, error) {
	raw, err := dev.SyscallConn() // Fd would make reading dev uninterruptible
	if err != nil {
		return nil, err
	}
	var n uint32
	var ioctl error
	err = raw.Control(func(fd uintptr) {
		if ioctl = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); ioctl == nil {
			n, ioctl = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(err, ioctl); err != nil {
		return nil, fmt.Errorf("new terminal: %w", err)
	}
	return m.root.OpenFile(fmt.Sprintf("dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
}

// Output runs a command as root and returns what it printed.
func (m *Machine) Output(ctx context.Context, argv ...string) (string, error) {
	out, err := m.Command(ctx, "root", argv...).Output()
	return string(out), err
}
