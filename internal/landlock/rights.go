package landlock

import "golang.org/x/sys/unix"

// Right is a set of rights to files, LANDLOCK_ACCESS_FS_….
type Right uint64

// Rights to files.
const (
	Execute  Right = unix.LANDLOCK_ACCESS_FS_EXECUTE
	ReadFile Right = unix.LANDLOCK_ACCESS_FS_READ_FILE
	ReadDir  Right = unix.LANDLOCK_ACCESS_FS_READ_DIR
	Write    Right = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE

	// Read is the right to a file, or to a folder and what is in it.
	Read = ReadFile | ReadDir

	// Own is what a program may do in a folder of its own: everything but to
	// execute files and to make devices.
	Own = Read | Write | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
)

// ofFile are the rights that a rule for a file can have; the others are a
// folder's, and the kernel refuses a rule that gives them to a file.
const ofFile = Execute | ReadFile | Write | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

// Scope is a set of ways to reach processes outside, LANDLOCK_SCOPE_….
type Scope uint64

// Scopes.
const (
	AbstractSockets Scope = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	Signals         Scope = unix.LANDLOCK_SCOPE_SIGNAL
)

// Ports is a set of uses of TCP, LANDLOCK_ACCESS_NET_….
type Ports uint64

// Uses of TCP.
const (
	BindTCP    Ports = unix.LANDLOCK_ACCESS_NET_BIND_TCP
	ConnectTCP Ports = unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
)

// Latest is the last ABI whose rights this package knows.
const Latest = 7

// Handled is what an ABI can refuse.
type Handled struct {
	Files  Right
	Ports  Ports
	Scopes Scope

	// Logged tells whether refusals to a program that was executed later can be
	// logged by the kernel's audit.
	Logged bool
}

// HandledBy returns what an ABI of the kernel can refuse: landlock(7), VERSIONS.
func HandledBy(abi int) Handled {
	var h Handled
	if abi >= 1 {
		h.Files = 1<<13 - 1 // LANDLOCK_ACCESS_FS_EXECUTE to …_MAKE_SYM
	}
	if abi >= 2 {
		h.Files |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		h.Files |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		h.Ports = BindTCP | ConnectTCP
	}
	if abi >= 5 {
		h.Files |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		h.Scopes = AbstractSockets | Signals
	}
	h.Logged = abi >= 7
	return h
}
