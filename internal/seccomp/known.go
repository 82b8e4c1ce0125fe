//go:build amd64 || arm64

package seccomp

import "golang.org/x/sys/unix"

// known tells whether this package knows the architecture's calls.
const known = true

// nameOf returns the name of a call that hostile refuses.
func nameOf(number int32) string {
	switch number {
	case unix.SYS_CLONE:
		return "clone"
	case unix.SYS_EXECVE:
		return "execve"
	case unix.SYS_IOCTL:
		return "ioctl"
	}
	for name, n := range names() {
		if n == uint32(number) {
			return name
		}
	}
	return ""
}
