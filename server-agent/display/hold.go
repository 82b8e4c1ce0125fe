package display

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"goldm/internal/peer"
	"goldm/server-agent/sessions"
	"goldm/session/xproxy"
)

const (
	// releaseWithin is how long a display may take to end after its session.
	releaseWithin = 2 * time.Second

	// youth is the age until which a folder without a lock may be one that is just made.
	youth = time.Minute
)

// Held is the display of a session. A nil *Held is one that is not ours, such as
// a forwarded one.
type Held struct {
	conn net.Conn
	gone chan struct{}
}

// Hold holds the display that a session's environment leads to. Release has to follow.
func Hold(env []string) (*Held, error) { return hold(env, beatEvery) }

// hold is Hold for a display that shows that it lives at an interval.
func hold(env []string, every time.Duration) (*Held, error) {
	folder := folderOf(env)
	if folder == "" {
		return nil, nil
	}
	conn, err := dial(folder)
	if err != nil {
		return nil, fmt.Errorf("the session's display: %w", err)
	}
	h := &Held{conn: conn, gone: make(chan struct{})}
	go func() { // until Release, or the display's end
		defer close(h.gone)
		await(conn, every)
	}()
	return h, nil
}

// dial connects to the display that has a folder, which must be the user's, as the display is.
func dial(folder string) (net.Conn, error) {
	if err := sessions.CheckPrivate(folder); err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	conn, err := net.Dial("unix", filepath.Join(folder, socketName))
	if err != nil {
		return nil, err
	}
	at, err := peer.Of(conn)
	if err == nil && at.UID != os.Getuid() {
		err = fmt.Errorf("%s is a socket of the user number %d", folder, at.UID)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Gone is closed when the display has ended.
func (h *Held) Gone() <-chan struct{} {
	if h == nil {
		return nil
	}
	return h.gone
}

// IsGone tells whether it has.
func (h *Held) IsGone() bool {
	select {
	case <-h.Gone():
		return true
	default:
		return false
	}
}

// Release lets the display end, and waits until it has removed its files. One that does not is killed.
func (h *Held) Release() {
	if h == nil {
		return
	}
	h.conn.SetReadDeadline(time.Now().Add(releaseWithin))
	h.conn.(*net.UnixConn).CloseWrite() // an error means that it has gone
	<-h.gone
	if _, err := h.conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		kill(h.conn)
	}
	h.conn.Close()
}

// Remove removes what the display of a session's environment left, where it was killed.
func Remove(env []string) error {
	folder := folderOf(env)
	if folder == "" {
		return nil
	}
	return removeDead(folder)
}

// folderOf returns the folder of the display that an environment leads to; empty where it
// is not ours.
func folderOf(env []string) string {
	for _, entry := range env {
		authority, ok := strings.CutPrefix(entry, "XAUTHORITY=")
		folder := filepath.Dir(authority)
		ours := ok && filepath.IsAbs(authority) && filepath.Base(authority) == authorityName
		if ours && strings.HasPrefix(filepath.Base(folder), prefix) {
			return folder
		}
	}
	return ""
}

// removeStale removes what the user's displays left that were killed without a session to
// see to it.
func removeStale() {
	for _, base := range bases() {
		folders, _ := filepath.Glob(filepath.Join(base.path, prefix+"*"))
		for _, folder := range folders {
			info, err := os.Lstat(folder)
			if err == nil && time.Since(info.ModTime()) > youth {
				removeDead(folder) // another time, if not now
			}
		}
	}
}

// socketPath is what a folder's link leads to.
var socketPath = regexp.MustCompile(`^` + regexp.QuoteMeta(xproxy.Folder) + `/X[0-9]{1,4}$`)

// removeDead removes a folder, and the socket that it leads to, unless somebody lives
// there. Nobody else takes a display number whose socket is there, so it is still that one.
func removeDead(folder string) error {
	switch err := sessions.CheckPrivate(folder); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", folder, err)
	}
	held, err := lock(folder)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer held.Close()
	socket, err := os.Readlink(filepath.Join(folder, linkName))
	if err == nil && socketPath.MatchString(socket) && isDead(socket) {
		err = os.Remove(socket)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(folder))
}

// isDead tells whether nobody listens on a socket that is there.
func isDead(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
