// Package privs gives up root for good: it is what stands between ldm and the
// programs that it runs as other users.
//
// Exec replaces the calling process, which is a fresh one made for this, so no
// thread of the daemon changes its user. The order is groups, gid, uid, and
// then an assertion that none of it can be taken back (setresuid(2),
// capabilities(7)).
//
// Limit is for ldm itself, which stays root: it keeps the capabilities that are
// named and gives up the others.
package privs

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// User is a numeric user with its group.
type User struct {
	UID, GID int
	Groups   []int // supplementary ones; nil for none
}

// Lookup finds a user of this machine by name.
func Lookup(name string) (User, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return User{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return User{}, fmt.Errorf("uid of %s: %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return User{}, fmt.Errorf("gid of %s: %w", name, err)
	}
	return User{UID: uid, GID: gid}, nil
}

// Exec becomes u and then the program argv with the environment of this
// process. It sets no_new_privs and a core limit of zero, asks for SIGKILL when
// parent dies, and returns only with an error.
func Exec(u User, parent int, argv []string) error { return ExecIn(u, parent, nil, argv) }

// ExecIn is Exec in the first of the folders that u can enter. Where that is
// none the working directory stays.
func ExecIn(u User, parent int, folders, argv []string) error {
	// no_new_privs and the death signal are a thread's own, and the program has those
	// of the thread that calls execve(2).
	runtime.LockOSThread()
	if err := Become(u); err != nil {
		return err
	}
	if err := Seal(); err != nil {
		return err
	}
	return Replace(parent, folders, argv)
}

// Replace is the rest of ExecIn, for a thread that has become its user: it becomes the
// program, in the first of the folders that it can enter.
func Replace(parent int, folders, argv []string) error {
	if len(argv) == 0 {
		return errors.New("no program to run")
	}
	for _, folder := range folders {
		if os.Chdir(folder) == nil {
			break
		}
	}
	if err := DieWith(parent); err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", argv[0], unix.Exec(argv[0], argv, os.Environ()))
}

// Bind does the rest of what Exec does before the program runs, to the calling
// thread, which has changed its user.
func Bind(parent int) error { return errors.Join(Seal(), DieWith(parent)) }

// DieWith asks for SIGKILL when the parent dies. It comes after the change of user,
// which takes that back: PR_SET_PDEATHSIG in prctl(2).
func DieWith(parent int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("death signal: %w", err)
	}
	// In a pid namespace of our own the parent reads as 0, dead or alive.
	if ppid := os.Getppid(); ppid != parent && ppid != 0 {
		return errors.New("the parent is gone")
	}
	return nil
}

// Seal keeps this thread, and what it executes, from gaining privileges by a program
// file (no_new_privs in prctl(2)) and from leaving core files.
func Seal() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("core limit: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}

// Become changes groups, gid and uid of all threads and asserts that root's are
// gone. The process is not dumpable from then on, since the kernel takes the flag
// away with the user (PR_SET_DUMPABLE in prctl(2)): no process of u can read or
// trace it until it executes another program.
func Become(u User) error {
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
		return fmt.Errorf("become group %d: %w", u.GID, err)
	}
	if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
		return fmt.Errorf("become user %d: %w", u.UID, err)
	}
	// Where /proc/sys/fs/suid_dumpable is 1 the kernel leaves the flag.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("not dumpable: %w", err)
	}
	return assert(u)
}

func assert(u User) error {
	if r, e, s := unix.Getresuid(); r != u.UID || e != u.UID || s != u.UID {
		return fmt.Errorf("uids are %d %d %d, not %d", r, e, s, u.UID)
	}
	if r, e, s := unix.Getresgid(); r != u.GID || e != u.GID || s != u.GID {
		return fmt.Errorf("gids are %d %d %d, not %d", r, e, s, u.GID)
	}
	groups, err := syscall.Getgroups()
	if slices.Sort(groups); err != nil || !slices.Equal(groups, slices.Sorted(slices.Values(u.Groups))) {
		return fmt.Errorf("supplementary groups are %v, not %v (%v)", groups, u.Groups, err)
	}
	if u.UID == 0 {
		return nil
	}
	if syscall.Setuid(0) == nil || syscall.Setgid(0) == nil {
		return errors.New("root can be taken back")
	}
	return nil
}

// Opaque makes this process unreadable for others of its own user: not
// dumpable, so no ptrace and no /proc/PID/mem (ptrace(2)), and no core file.
func Opaque() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("not dumpable: %w", err)
	}
	return nil
}

// Conceal is Opaque with no core files of what this process starts, too. A program
// that will hold secrets calls it before it receives the first.
func Conceal() error {
	if err := Opaque(); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("core limit: %w", err)
	}
	return nil
}
