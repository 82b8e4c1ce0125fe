package seccomp

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filter says what stays.
type Filter struct {
	Families []int // address families of socket(2)
	Exec     *Exec // the only program that may be executed; nil for none
}

// Supported reports whether the kernel has what Install needs, and this package knows
// the architecture's calls.
func Supported() bool {
	if !known {
		return false
	}
	action := uint32(unix.SECCOMP_RET_USER_NOTIF)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}

// Install binds the calling thread, which has to be locked and to have no_new_privs, and
// what it executes. It cannot be taken back. With listen it returns the file on
// which Listen hears of what is refused; until somebody answers there, the thread that
// was refused something waits.
func (f Filter) Install(listen bool) (*os.File, error) {
	if _, err := set(f.absent(), 0); err != nil {
		return nil, err
	}
	if !listen {
		_, err := set(f.hostile(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)), 0)
		return nil, err
	}
	fd, err := set(f.hostile(unix.SECCOMP_RET_USER_NOTIF), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	if err != nil {
		return nil, err
	}
	return os.NewFile(fd, "seccomp listener"), nil
}

func set(program []bpf.Instruction, flags uintptr) (uintptr, error) {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return 0, fmt.Errorf("seccomp: %w", err)
	}
	if len(raw) == 0 {
		return 0, errors.New("seccomp: no filter")
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, fmt.Errorf("seccomp: %w", errno)
	}
	return fd, nil
}
