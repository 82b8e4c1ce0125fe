package testbed

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// entry is what a process that enters a machine becomes there. It travels as
// the only argument.
type entry struct {
	Machine int // the machine's first process, in our PID namespace
	User    user
	Dir     string
	TTY     bool // standard input becomes the controlling terminal
	Argv    []string
}

// runEnter enters all namespaces of a machine but the PID namespace, into which
// it was born, becomes the user, and then the command. It keeps its process, so
// that signals and the exit status need no go-between.
func runEnter() error {
	var e entry
	if len(os.Args) != 2 {
		return errors.New("wants one argument")
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &e); err != nil {
		return err
	}
	if err := enterNamespaces(e.Machine, "pid", "uts", "ipc", "net", "mnt"); err != nil {
		return err
	}
	// A session of its own: a command that signals its process group must not
	// reach the group outside.
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("setsid: %w", err)
	}
	if e.TTY {
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return fmt.Errorf("make standard input the controlling terminal: %w", err)
		}
	}
	unix.Umask(0o022)
	if err := dropTo(e.User); err != nil {
		return err
	}
	if err := os.Chdir(e.Dir); err != nil {
		os.Chdir("/") // as login(1) does without a home
	}
	path, err := exec.LookPath(e.Argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w", path, unix.Exec(path, e.Argv, os.Environ()))
}

// enterNamespaces moves the calling thread into namespaces of a process. "pid"
// is only checked: a thread's own cannot be changed.
func enterNamespaces(pid int, names ...string) error {
	files := make(map[string]*os.File, len(names))
	for _, name := range names { // all before the first move, which may take /proc away
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			return fmt.Errorf("the machine is not running: %w", err)
		}
		defer f.Close()
		files[name] = f
	}
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the machine's root: %w", err)
	}
	defer unix.Close(root)
	// setns(2): a mount namespace is joined only by who shares no working directory.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	for _, name := range names {
		if name == "pid" {
			if err := samePIDNamespace(files[name]); err != nil {
				return err
			}
			continue
		}
		if err := unix.Setns(int(files[name].Fd()), 0); err != nil {
			return fmt.Errorf("enter the machine's %s namespace: %w", name, err)
		}
	}
	return changeRoot(root)
}

// changeRoot makes a machine's root ours. setns(2) has left us at the root of
// its mount namespace, which is the host's where we ourselves run in a chroot.
func changeRoot(root int) error {
	if err := unix.Fchdir(root); err != nil {
		return fmt.Errorf("enter the machine's root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the machine's root: %w", err)
	}
	return nil
}

func samePIDNamespace(theirs *os.File) error {
	ours, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return err
	}
	info, err := theirs.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(ours, info) {
		return errors.New("not started in the machine's pid namespace: use the methods of testbed.Cmd")
	}
	return nil
}

// hostOnly are capabilities over what the machines share with their host.
var hostOnly = []uintptr{unix.CAP_SYS_MODULE, unix.CAP_SYS_TIME, unix.CAP_SYS_BOOT, unix.CAP_SYSLOG}

// dropTo becomes the user: groups, then group, then user, and makes sure. The
// calls are raw since they concern this thread alone, which is about to exec.
func dropTo(u user) error {
	for _, c := range hostOnly {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := setThreadIDs(u.UID, u.GID); err != nil {
		return err
	}
	uid, euid, suid := unix.Getresuid()
	gid, egid, sgid := unix.Getresgid()
	if uid != u.UID || euid != u.UID || suid != u.UID || gid != u.GID || egid != u.GID || sgid != u.GID {
		return fmt.Errorf("user is %d %d %d, group %d %d %d after the change to %d:%d", uid, euid, suid, gid, egid, sgid, u.UID, u.GID)
	}
	return nil
}

// setThreadIDs changes group and user of the calling thread only.
func setThreadIDs(uid, gid int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); errno != 0 {
		return fmt.Errorf("setresgid %d: %w", gid, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
		return fmt.Errorf("setresuid %d: %w", uid, errno)
	}
	return nil
}
