package xproxy

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldm/internal/peer/peertest"
	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// besieged is a display that every user may connect to, of a session of root's.
func besieged(t *testing.T) (path string, server *xtest.Server) {
	t.Helper()
	peertest.NeedRoot(t)
	server = xtest.Start(t)
	path = filepath.Join(peertest.Folder(t), "display")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	peertest.Open(t, path)
	joinPair(t, listener, server, Offer{Cookie: server.Cookie}, dialTo(server.Path()))
	return path, server
}

// show opens a connection with the cookie as a user, and waits for the display's answer.
func show(t *testing.T, uid int, path string, cookie []byte) {
	t.Helper()
	c := &xclient{t: t, order: x11.LittleEndian, conn: peertest.MustDial(t, uid, path)}
	c.conn.SetDeadline(time.Now().Add(patience))
	setup := x11.SetupRequest{Order: c.order, Major: 11, AuthName: cookieName, AuthData: cookie}
	c.send(setup.Append(nil))
	answer := make([]byte, x11.SetupAnswerHead)
	if c.read(answer); answer[0] != x11.SetupAccepted {
		t.Errorf("user %d: the display answers %d", uid, answer[0])
	}
}

// Another user's connections without a cookie keep out neither the session's user, nor a third
// user with the cookie.
func TestAttackPlaces(t *testing.T) {
	path, server := besieged(t)
	const mallory, sudo = peertest.Stranger, peertest.Stranger + 1
	patient := peertest.MustDial(t, sudo, path) // and shows the cookie last of all
	oldest := peertest.MustDial(t, mallory, path)
	for n := range 1000 {
		conn := peertest.MustDial(t, mallory, path)
		switch n % 4 {
		case 0:
			conn.Write([]byte{'l'}) // and goes on slowly, or not at all
		case 1:
			setup := x11.SetupRequest{Order: x11.LittleEndian, Major: 11, AuthName: cookieName, AuthData: make([]byte, 16)}
			conn.Write(setup.Append(nil))
		}
		if n%250 == 70 {
			show(t, os.Getuid(), path, server.Cookie)
			show(t, sudo, path, server.Cookie)
		}
	}
	oldest.SetDeadline(time.Now().Add(patience))
	if _, err := oldest.Read(make([]byte, 1)); err != io.EOF && !isReset(err) {
		t.Errorf("the oldest stranger: %v", err)
	}
	c := &xclient{t: t, order: x11.LittleEndian, conn: patient}
	patient.SetDeadline(time.Now().Add(patience))
	setup := x11.SetupRequest{Order: c.order, Major: 11, AuthName: cookieName, AuthData: server.Cookie}
	c.send(setup.Append(nil))
	c.read(make([]byte, x11.SetupAnswerHead))
}

func isReset(err error) bool { return err != nil && strings.Contains(err.Error(), "reset") }

// A program that sends a byte now and then is given up in time, and others are served meanwhile.
func TestAttackSlowSetup(t *testing.T) {
	t.Parallel()
	path, server := besieged(t)
	conn := peertest.MustDial(t, peertest.Stranger, path)
	setup := x11.SetupRequest{Order: x11.LittleEndian, Major: 11, AuthName: cookieName, AuthData: server.Cookie}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn.SetReadDeadline(time.Now().Add(patience))
		io.Copy(io.Discard, conn)
	}()
	for _, b := range setup.Append(nil) {
		if _, err := conn.Write([]byte{b}); err != nil {
			break
		}
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
	}
	<-ended
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF && !isReset(err) {
		t.Errorf("a byte a second: %v", err)
	}
}

// One's own connections without a cookie keep out one's own old ones only.
func TestAttackOwnPlaces(t *testing.T) {
	path, server := besieged(t)
	for range 1000 {
		peertest.MustDial(t, os.Getuid(), path)
	}
	show(t, os.Getuid(), path, server.Cookie)
	show(t, peertest.Stranger, path, server.Cookie)
}

// A folder in which others could put a socket in place of ours is refused, by its name.
func TestAttackSocketFolder(t *testing.T) {
	peertest.NeedRoot(t)
	for name, spoil := range map[string]func(path string) error{
		"another's":  func(path string) error { return os.Chown(path, peertest.Stranger, peertest.Stranger) },
		"not sticky": func(path string) error { return os.Chmod(path, 0o777) },
	} {
		path := filepath.Join(t.TempDir(), "sockets")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if err := checkFolders(path); err != nil {
			t.Error(err)
		}
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		if err := checkFolders(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
