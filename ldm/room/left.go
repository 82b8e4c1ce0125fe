package room

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one that is there, as proc_pid_stat(5) has it.
type process struct {
	pid   int
	name  string
	state string
}

func (p process) String() string { return fmt.Sprintf("%d %q in state %s", p.pid, p.name, p.state) }

// processesOf lists the processes of a user that are not zombies.
func processesOf(uid int) []process {
	var list []process
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err != nil {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != uid && !hasUID(folder, uid) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, "stat"))
		if err != nil {
			continue
		}
		if p, ok := parseStat(string(text)); ok && p.state != "Z" {
			list = append(list, p)
		}
	}
	return list
}

// hasUID looks at the user of a process whose folder is root's, since it is not dumpable.
func hasUID(folder string, uid int) bool {
	text, err := os.ReadFile(filepath.Join(folder, "status"))
	return err == nil && strings.Contains(string(text), fmt.Sprintf("\nUid:\t%d\t", uid))
}

// parseStat reads number, name and state. The name may hold anything.
func parseStat(text string) (process, bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text[:open]))
	rest := strings.Fields(text[end+1:])
	if err != nil || len(rest) == 0 {
		return process{}, false
	}
	return process{pid: pid, name: text[open+1 : end], state: rest[0]}, true
}

// abortFUSE ends the connections of file systems that a user has mounted: fuse.rst in the
// kernel's documentation. What waits for one of them gets an error.
func abortFUSE(uid int) error {
	fd, err := openControl()
	if err != nil {
		return fmt.Errorf("FUSE connections: %w", err)
	}
	control := os.NewFile(uintptr(fd), "fusectl")
	defer control.Close()
	names, err := control.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("FUSE connections: %w", err)
	}
	var errs []error
	for _, name := range names {
		var stat unix.Stat_t
		if unix.Fstatat(fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil || int(stat.Uid) != uid {
			continue
		}
		errs = append(errs, abort(fd, name))
	}
	return errors.Join(errs...)
}

func abort(control int, name string) error {
	fd, err := unix.Openat(control, name+"/abort", unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("abort FUSE connection %s: %w", name, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("1")); err != nil {
		return fmt.Errorf("abort FUSE connection %s: %w", name, err)
	}
	return nil
}

// openControl opens the FUSE control file system, which is mounted nowhere for that.
func openControl() (int, error) {
	fs, err := unix.Fsopen("fusectl", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(mount)
	return unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}
