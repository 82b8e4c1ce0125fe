package peer

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"goldm/internal/text"
)

// Peer is the process at the other end of a Unix socket: the one that called connect(2) or, seen
// from there, listen(2).
type Peer struct {
	UID int
	PID int // in our PID namespace; 0 where the process is not in it
}

// Of asks the kernel who is at the other end of conn (unix(7), SO_PEERCRED).
func Of(conn net.Conn) (Peer, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return Peer{}, fmt.Errorf("peer: %T is not a socket", conn)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var fault error
	if err := raw.Control(func(fd uintptr) {
		cred, fault = credentials(int(fd))
	}); err != nil {
		return Peer{}, err
	}
	if fault != nil {
		return Peer{}, fmt.Errorf("peer: %w", fault)
	}
	return Peer{UID: int(cred.Uid), PID: int(cred.Pid)}, nil
}

// credentials is SO_PEERCRED of a Unix socket. The kernel answers for other sockets too: with
// the user number -1, or for TCP with nobody's.
func credentials(fd int) (*unix.Ucred, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, err
	}
	if domain != unix.AF_UNIX {
		return nil, unix.EAFNOSUPPORT
	}
	return unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
}

// maxProgram bounds the name of a program, in characters: TASK_COMM_LEN of the kernel.
const maxProgram = 16

// Program returns the name of the peer's program, for the log only: a process chooses its name.
// It is empty where the process has ended, or cannot be seen.
func (p Peer) Program() string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.PID))
	if err != nil {
		return ""
	}
	return text.Line(strings.TrimSuffix(string(comm), "\n"), maxProgram)
}
