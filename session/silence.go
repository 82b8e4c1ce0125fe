package session

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tellCuts returns a net.Dialer's Control that has the kernel end a connection whose data, or whose
// keepalive probes, the server's kernel has not acknowledged for so long (tcp(7), TCP_USER_TIMEOUT).
// Keepalives alone are not sent while data is on its way, and retransmissions go on for a quarter
// of an hour. A server whose PAM is slow acknowledges all the while, and is not taken for a cut.
func tellCuts(after time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var wrong error
		err := c.Control(func(fd uintptr) {
			wrong = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
		})
		if err != nil {
			return err
		}
		return wrong
	}
}
