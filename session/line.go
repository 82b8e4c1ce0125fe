package session

import (
	"bytes"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// line is a connection that knows when it was last heard of, and why it broke:
// x/crypto/ssh tells neither.
type line struct {
	net.Conn

	mu    sync.Mutex
	heard time.Time
	head  []byte // the first bytes that arrived
	err   error  // why it broke, or was closed
}

// maxHead is how much of a server's first bytes is kept: a version string's
// length (RFC 4253, section 4.2) and what sshd says when it is busy.
const maxHead = 512

func newLine(conn net.Conn) *line { return &line{Conn: conn, heard: time.Now()} }

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > 0 {
		l.heard = time.Now()
		l.head = append(l.head, p[:min(n, maxHead-len(l.head))]...)
	}
	if err != nil && l.err == nil {
		l.err = err
	}
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err == nil {
			l.err = err
		}
	}
	return n, err
}

// roundTrip is the shortest time to the server and back, as the kernel knows it (tcp(7), TCP_INFO): how
// busy either side is does not count. It is zero where it is unknown.
func (l *line) roundTrip() time.Duration {
	socket, ok := l.Conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	var took time.Duration
	err = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			took = time.Duration(info.Min_rtt) * time.Microsecond
		}
	})
	if err != nil {
		return 0
	}
	return took
}

// fail closes the connection and says why.
func (l *line) fail(why error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = why
	}
	l.mu.Unlock()
	l.Conn.Close()
}

// lost returns why the connection broke, nil while it stands.
func (l *line) lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// silence is how long nothing arrived.
func (l *line) silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.heard)
}

// greeting returns the first bytes, and whether a line among them begins as a
// server's version string does.
func (l *line) greeting() (head []byte, isSSH bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, bytes.HasPrefix(l.head, []byte("SSH-")) || bytes.Contains(l.head, []byte("\nSSH-"))
}
