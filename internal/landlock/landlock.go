package landlock

import (
	"errors"
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rules is what stays.
type Rules struct {
	Paths  []Path
	Ports  Ports // uses of TCP that are refused, all ports
	Scopes Scope // what is refused

	// Log has the kernel's audit log what is refused to the program, where it can.
	Log bool
}

// Path gives rights to a file, or to a folder and all that is in it. A symbolic
// link is followed. Where there is no such file the rule does nothing, also if
// the file is made later.
type Path struct {
	Name  string
	Right Right
}

// ABI returns the version that the running kernel has, 0 for none: one without
// Landlock, or booted without it.
func ABI() (int, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		return int(version), nil
	case unix.ENOSYS, unix.EOPNOTSUPP:
		return 0, nil
	}
	return 0, fmt.Errorf("landlock: %w", errno)
}

// Set is a rule set that no thread is bound by yet.
type Set struct {
	fd    int
	flags uintptr
}

// New makes a rule set for an ABI that the kernel has. It needs whatever is
// needed to reach the files.
func New(rules Rules, abi int) (*Set, error) {
	handled := HandledBy(abi)
	attr := unix.LandlockRulesetAttr{
		Handled_access_fs:  uint64(handled.Files),
		Handled_access_net: uint64(handled.Ports & rules.Ports),
		Scoped:             uint64(handled.Scopes & rules.Scopes),
	}
	// Fields that the kernel does not know are zero, which it takes.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return nil, fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	s := &Set{fd: int(fd)}
	if rules.Log && handled.Logged {
		s.flags = unix.LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON
	}
	for _, p := range rules.Paths {
		if err := s.allow(p, handled.Files); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) allow(p Path, handled Right) error {
	fd, err := unix.Open(p.Name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("landlock: %s: %w", p.Name, err)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("landlock: %s: %w", p.Name, err)
	}
	right := p.Right & handled
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		right &= ofFile
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: uint64(right), Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(s.fd), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("landlock_add_rule %s: %w", p.Name, errno)
	}
	return nil
}

// Restrict binds the calling thread, which has to be locked and to have
// no_new_privs, and what it executes. It cannot be taken back.
func (s *Set) Restrict() error {
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(s.fd), s.flags, 0); errno != 0 {
		return fmt.Errorf("landlock_restrict_self: %w", errno)
	}
	return nil
}

// Close gives the rule set up; who is bound by it stays so.
func (s *Set) Close() error { return unix.Close(s.fd) }
