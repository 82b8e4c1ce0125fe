package display

import (
	"context"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/pulse"
)

// beatEvery is how often a display shows its session that it lives.
const beatEvery = 10 * time.Second

// show gives signs of life on the connection of the session until stop closes.
func show(session net.Conn, every time.Duration, stop <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		session.SetWriteDeadline(time.Now().Add(every))
		if _, err := session.Write([]byte{1}); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// await returns when the display has ended. One that hangs is killed, so that it ends: its session's programs
// would wait for it for ever.
func await(conn net.Conn, due time.Duration) {
	beats, hung := make(chan time.Duration), make(chan struct{})
	go func() {
		defer close(hung)
		if _, ok := <-beats; ok && pulse.Listen(context.Background(), due, beats) != nil {
			kill(conn)
		}
		for range beats { // the last of a display that is killed
		}
	}()
	buffer := make([]byte, 64)
	for {
		if n, err := conn.Read(buffer); err != nil || n == 0 {
			break
		}
		beats <- due
	}
	close(beats)
	<-hung
}

// kill kills the process that listens at the other end, if it is ours: as long as the connection is open it
// lives, and its number is nobody else's.
func kill(conn net.Conn) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) // of who listens: unix(7)
		if err == nil && int(cred.Uid) == os.Getuid() && cred.Pid > 1 {
			unix.Kill(int(cred.Pid), unix.SIGKILL)
		}
	})
}
