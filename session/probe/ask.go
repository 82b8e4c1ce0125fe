package probe

import (
	"context"
	"io"
	"net"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goldm/ldm/wire"
	"goldm/session"
)

// patience is how long a server may take to connect, and again to say its version.
const patience = 5 * time.Second

// version is ours. A server that has read it writes one line in its log when we
// go, and not an error.
const version = "SSH-2.0-goldm_probe\r\n"

// ask asks a server whether it takes logins, with the reason where it does not.
// It goes no further than the version strings: a key exchange would cost the
// server more, and who it is gets proved at the login.
func ask(ctx context.Context, server string) (wire.Server, error) {
	seen := wire.Server{Name: server, State: wire.Down}
	host, port, err := session.ParseServer(server)
	if err != nil {
		return seen, err
	}
	if port == 0 {
		port = session.DefaultPort
	}
	dialer := net.Dialer{Timeout: patience, KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return seen, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	seen.RTT = roundTrip(conn)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return seen, err
	}
	seen.State, err = greeting(conn)
	if err == nil {
		_, err = io.WriteString(conn, version)
	}
	return seen, err
}

// roundTrip returns what the kernel knows of the way there and back, in
// microseconds (tcp(7), TCP_INFO); 0 where it does not tell.
func roundTrip(conn net.Conn) int {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	var rtt int
	raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = int(info.Rtt)
		}
	})
	return rtt
}
