package display

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldm/internal/peer/peertest"
)

// listenAs listens on a Unix socket as a user: SO_PEERCRED shows who called listen(2).
func listenAs(t *testing.T, uid int, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := peertest.As(uid, func() error { return unix.Listen(fd, 5) }); err != nil {
		t.Fatal(err)
	}
}

// A display that another user holds, by the abstract name or in a folder that is not safe, is
// not told the cookie.
func TestAttackHeldDisplay(t *testing.T) {
	peertest.NeedRoot(t)
	dir := filepath.Join(t.TempDir(), ".X11-unix")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	try := func(path string) error {
		conn, err := dialLocal(t.Context(), path)
		if err == nil {
			conn.Close()
		}
		return err
	}
	abstract := filepath.Join(dir, "X1")
	listenAs(t, peertest.Stranger, "@"+abstract)
	if err := try(abstract); err == nil || !strings.Contains(err.Error(), "held by the user number 54321") {
		t.Errorf("an abstract name: %v", err)
	}
	own := filepath.Join(dir, "X2")
	listenAs(t, 0, "@"+own)
	if err := try(own); err != nil {
		t.Errorf("root's abstract name: %v", err)
	}
	file := filepath.Join(dir, "X3")
	listenAs(t, peertest.Stranger, file)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := try(file); err != nil { // as an X server of another user's
		t.Errorf("a file in a folder that is safe: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := try(file); err == nil {
		t.Error("a file in a folder where anyone could have put it")
	}
	l, err := net.Listen("unix", filepath.Join(dir, "X4"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := try(filepath.Join(dir, "X4")); err != nil {
		t.Errorf("one's own server there: %v", err)
	}
}
