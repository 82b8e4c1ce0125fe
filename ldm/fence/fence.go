package fence

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"goldm/internal/landlock"
	"goldm/internal/privs"
	"goldm/internal/seccomp"
)

// Main is the other end of Plan.Words: it takes the words that were put after it, a plan and
// the command, and becomes that command. It returns only with an error.
func Main(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("fence: %d words", len(args))
	}
	var p Plan
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	program, err := exec.LookPath(args[1])
	if err != nil {
		return err
	}
	abi, err := landlock.ABI()
	if err != nil {
		return err
	}
	return p.become(append([]string{program}, args[2:]...), abi)
}

// become takes everything but the plan's share away, by the rules of an ABI of Landlock, 0 for none, and
// executes the program.
func (p Plan) become(argv []string, abi int) error {
	runtime.LockOSThread() // which is the one that executes it
	if p.Report > 0 {
		unix.CloseOnExec(p.Report)
	}
	if p.Own {
		if err := ownMounts(); err != nil {
			return err
		}
	}
	if p.User.UID == 0 {
		if err := privs.Drop(p.Keep); err != nil {
			return err
		}
	} else if err := privs.Bound(0); err != nil {
		return err
	}
	if p.Duty == Plain {
		return privs.Exec(p.User, p.Parent, argv)
	}
	return p.confine(argv, abi)
}

// ownMounts gives this process, the first of its pid namespace, a /proc that shows nobody else.
// What the machine mounts and unmounts later is seen here; nothing goes the other way.
func ownMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("own /proc: %w", err)
	}
	return nil
}

// confine becomes a program of ours.
func (p Plan) confine(argv []string, abi int) error {
	a, err := p.allowed(argv[0])
	if err != nil {
		return err
	}
	var files *landlock.Set
	if abi > 0 { // else Support tells
		// What GTK tries and does without is not worth a line in the kernel's log.
		rules := landlock.Rules{Paths: a.files, Ports: a.ports, Scopes: a.scopes, Log: p.Duty != Greeter}
		if files, err = landlock.New(rules, abi); err != nil {
			return err
		}
	}
	if err := privs.Become(apart(p.User)); err != nil {
		return err
	}
	if err := privs.Bind(p.Parent); err != nil {
		return err
	}
	if files != nil {
		if err := files.Restrict(); err != nil {
			return err
		}
		files.Close()
	}
	return p.start(argv, a.families)
}

// apart returns the user with a group that no other process has. A process reads and traces
// another of its user only if their groups are the same, ptrace(2); this one is safe from them
// also in the moment from execve(2) until it makes itself not dumpable, and where its file
// can be read by its user. The user's own group is supplementary.
func apart(u privs.User) privs.User {
	var word [4]byte
	rand.Read(word[:])
	u.Groups = append([]int{u.GID}, u.Groups...)
	u.GID = firstOwn + int(binary.NativeEndian.Uint32(word[:])%(lastOwn-firstOwn+1))
	return u
}

// Nobody else uses these numbers: systemd's UIDS-GIDS, "Unused".
const firstOwn, lastOwn = 0x70000000, 0x7ffffffe

// files is the usual limit of open files for a program that asks for no more: getrlimit(2). Ours was
// raised by Go's runtime.
const files = 1024

// start executes the program, the last that this process and the program ever execute.
func (p Plan) start(argv []string, families []int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of files: %w", err)
	}
	limit.Cur = min(files, limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of files: %w", err)
	}
	if !seccomp.Supported() { // Support tells
		return fmt.Errorf("run %s: %w", argv[0], unix.Exec(argv[0], argv, os.Environ()))
	}
	run, err := seccomp.NewExec(argv, os.Environ())
	if err != nil {
		return err
	}
	listener, err := seccomp.Filter{Families: families, Exec: run}.Install(p.Report > 0)
	if err != nil {
		return err
	}
	if listener != nil {
		if err := unix.Sendmsg(p.Report, []byte{0}, unix.UnixRights(int(listener.Fd())), nil, 0); err != nil {
			return fmt.Errorf("tell the daemon of the filter: %w", err)
		}
		listener.Close()
	}
	return fmt.Errorf("run %s: %w", argv[0], run.Run())
}
