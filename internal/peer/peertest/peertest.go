// Package peertest connects to Unix sockets as other users, in tests that root runs.
package peertest

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Stranger is a user number that is nobody's.
const Stranger = 54321

// NeedRoot skips a test that has to become other users.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("other users' connections need root")
	}
}

// As calls f as a user, on a thread of its own that ends with it.
func As(uid int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends as the user that it became
		// The call concerns this thread alone, other than unix.Setresuid.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			done <- fmt.Errorf("setresuid %d: %w", uid, errno)
			return
		}
		done <- f()
	}()
	return <-done
}

// Dial connects to a Unix socket as a user, as SO_PEERCRED shows to the other end. An abstract
// name begins with "@".
func Dial(uid int, path string) (conn net.Conn, err error) {
	err = As(uid, func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), path)
		defer file.Close()
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return fmt.Errorf("connect %s: %w", path, err)
		}
		conn, err = net.FileConn(file)
		return err
	})
	return conn, err
}

// MustDial is Dial for a connection that lasts as long as the test.
func MustDial(t testing.TB, uid int, path string) net.Conn {
	t.Helper()
	conn, err := Dial(uid, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Folder makes a folder that every user may enter and make files in, for sockets.
func Folder(t testing.TB) string {
	t.Helper()
	path, err := os.MkdirTemp("", "peer") // not t.TempDir: others may not pass there, and it is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	if err := os.Chmod(path, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return path
}

// Open makes a socket one that every user may connect to.
func Open(t testing.TB, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
}
