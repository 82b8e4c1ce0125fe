package xwatch

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/x11"
	"goldm/internal/xauth"
)

const (
	// maxMessages bounds what is read for one answer: nothing else is asked for, but every client gets
	// some events, such as MappingNotify.
	maxMessages = 1000

	// again is the pause before another try to connect: the queue of a server that does not take
	// clients may be full (unix(7), EAGAIN).
	again = time.Second
)

// getInputFocus is a request of 4 bytes whose reply has 32, and that changes nothing (section 9 of
// the X11 protocol, opcode 43).
var getInputFocus = []byte{43, 0, 1, 0}

// line is a connection to a server. It stays open: a server that is grabbed sets no new ones up.
type line struct {
	config  Config
	conn    net.Conn
	foreign bool // another process answers at the socket
}

// ask asks the server something and returns when it has said anything, or at the end of ctx.
func (l *line) ask(ctx context.Context) {
	for l.conn == nil {
		said, err := l.connect(ctx)
		if said && err != nil || l.foreign || err != nil && !sleep(ctx, again) {
			return
		}
	}
	conn := l.conn
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(getInputFocus); err != nil || hear(conn) != nil {
		conn.Close()
		l.conn = nil // a server that breaks a connection runs; that one ends its parent notices
	}
}

// hear reads until the reply, or an error.
func hear(conn io.Reader) error {
	message := make([]byte, x11.AnswerHead)
	for range maxMessages {
		if _, err := io.ReadFull(conn, message); err != nil {
			return err
		}
		if x11.Kind(message) == x11.Reply {
			return nil
		}
	}
	return errors.New("too many messages")
}

// connect sets a connection up, and reports whether the server said anything: one that refuses lives, too.
func (l *line) connect(ctx context.Context) (said bool, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", l.config.Socket)
	if err != nil {
		return false, err
	}
	if l.foreign = peer(conn) != l.config.PID; l.foreign {
		l.config.Log.Info("the X server is not watched: another process is at its socket")
		conn.Close()
		return false, errors.New("not the server")
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	said, err = l.setUp(conn)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return said, err
	}
	l.conn = conn
	return true, nil
}

// setUp does the connection setup (section 8) and drops what the server tells about itself: 256 KiB at most.
func (l *line) setUp(conn net.Conn) (said bool, err error) {
	request := x11.SetupRequest{
		Order: x11.LittleEndian, Major: x11.ProtocolMajor, Minor: x11.ProtocolMinor,
		AuthName: xauth.MITMagicCookie, AuthData: l.config.Cookie,
	}
	if _, err := conn.Write(request.Append(nil)); err != nil {
		return false, err
	}
	head := make([]byte, x11.SetupAnswerHead)
	if _, err := io.ReadFull(conn, head); err != nil {
		return false, err
	}
	_, err = io.CopyN(io.Discard, conn, int64(x11.SetupAnswerSize(request.Order, head))-x11.SetupAnswerHead)
	if err == nil && head[0] != x11.SetupAccepted {
		err = errors.New("refused")
	}
	return true, err
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
	}
}

// peer returns the process that listens at a socket (unix(7), SO_PEERCRED); 0 where that is not known.
func peer(conn net.Conn) (pid int) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}
