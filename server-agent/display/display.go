// Package display is the X display of a session on the server, by the accelerator: where it
// is, and how long it lasts.
//
// A process of its own (ltsp-server-agent x11) opens it, over a channel that the client
// begins before the session. The session then holds it, by a socket that each of the two closes at
// its end: the display ends with the session, also where sshd does not notice that
// the client has gone, and the session ends with its display, where programs would be left that nobody
// sees. What a display that was killed leaves, the session removes, or else the user's next display.
package display

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/folder"
	"goldm/internal/peer"
	"goldm/internal/xauth"
	"goldm/server-agent/sessions"
	"goldm/session/xproxy"
)

// Display is a display that programs can reach.
type Display struct {
	*xproxy.Display

	log      *slog.Logger
	folder   string
	lock     *os.File // the folder, for as long as the process lives
	sessions net.Listener
	beat     time.Duration // between two signs of life to the session
	held     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	session net.Conn // that holds the display; nil for none
}

// The files in a display's folder.
const (
	authorityName = "Xauthority"
	socketName    = "session" // on which the session comes
	linkName      = "display" // leads to the display's own socket, wherever that is
)

// prefix is how the name of a display's folder begins.
const prefix = "ltsp-x11-"

// Open opens a display for programs that have the cookie, and removes what the user's
// displays that were killed have left. Close has to follow.
func Open(cookie []byte, log *slog.Logger) (*Display, error) {
	removeStale()
	var wrong error
	for _, base := range bases() {
		err := base.check()
		if err == nil {
			var d *Display
			if d, err = openIn(base.path, cookie); err == nil {
				d.log = log
				return d, nil
			}
		}
		log.Warn("no place for the display's files", "folder", base.path, "err", err)
		wrong = errors.Join(wrong, fmt.Errorf("%s: %w", base.path, err))
	}
	return nil, wrong
}

// base is where folders are made.
type base struct {
	path  string
	check func() error // says why others could replace what is made there
}

// bases returns where folders are made: a runtime directory may be missing, full, or not the
// user's alone.
func bases() []base {
	temporary := base{"/tmp", func() error { return folder.Shared("/tmp") }}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		return []base{{runtime, func() error { return sessions.CheckPrivate(runtime) }}, temporary}
	}
	return []base{temporary}
}

func openIn(base string, cookie []byte) (*Display, error) {
	made, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return nil, err
	}
	d := &Display{folder: made, beat: beatEvery}
	if err := d.open(cookie); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Display) open(cookie []byte) (err error) {
	if d.lock, err = lock(d.folder); err != nil {
		return err
	}
	if err := writeCookie(d.Authority(), cookie); err != nil {
		return err
	}
	if d.sessions, err = net.Listen("unix", filepath.Join(d.folder, socketName)); err != nil {
		return err
	}
	if d.Display, err = xproxy.Listen(); err != nil {
		return err
	}
	return os.Symlink(d.Addr().String(), filepath.Join(d.folder, linkName))
}

// Authority returns the name of the Xauthority file.
func (d *Display) Authority() string { return filepath.Join(d.folder, authorityName) }

// Follow calls ended when the session that holds the display has ended. Without one
// that never comes.
func (d *Display) Follow(ended func()) {
	d.held.Go(func() {
		session := d.await()
		if session == nil || !d.hold(session) {
			return
		}
		stop := make(chan struct{})
		d.held.Go(func() { show(session, d.beat, stop) })
		session.Read(make([]byte, 1)) // it says nothing
		close(stop)
		ended()
	})
}

// await returns the connection of the session, which is the user's; nil where none comes any
// more. The first connection that is another user's would end the display with itself.
func (d *Display) await() net.Conn {
	refusals := peer.NewRefusals(d.log)
	defer refusals.Close()
	for {
		session, err := d.sessions.Accept()
		if err != nil {
			return nil
		}
		at, err := peer.Of(session)
		if err == nil && at.UID == os.Getuid() {
			return session
		}
		refusals.Add("the session's user", "uid", at.UID, "pid", at.PID, "program", at.Program(), "err", err)
		session.Close()
	}
}

func (d *Display) hold(session net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		session.Close()
		return false
	}
	d.session = session
	return true
}

// Close ends the display and removes its files, and only then lets the session go.
func (d *Display) Close() error {
	if d.Display != nil {
		d.Display.Close()
	}
	err := os.RemoveAll(d.folder)
	if d.sessions != nil {
		d.sessions.Close()
	}
	d.mu.Lock()
	d.closed = true
	if d.session != nil {
		d.session.Close()
	}
	d.mu.Unlock()
	d.held.Wait()
	if d.lock != nil {
		d.lock.Close()
	}
	return err
}

func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

func writeCookie(name string, cookie []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	entry := xauth.Entry{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: cookie}
	return errors.Join(xauth.Write(file, []xauth.Entry{entry}), file.Close())
}
