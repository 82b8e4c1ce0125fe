package xproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"goldm/internal/folder"
	"goldm/internal/peer"
)

const (
	// Displays from firstDisplay on are ours to take; X servers and SSH take low numbers.
	firstDisplay = 100
	lastDisplay  = 1099

	// Folder is where X servers have their sockets.
	Folder = "/tmp/.X11-unix"
)

// Display is a listener for programs under a display number, both as a file and as an
// abstract name: libxcb tries the abstract name first, and sends the cookie to the program that
// holds it, whoever that is.
type Display struct {
	Number int

	listeners [2]net.Listener
	come      chan net.Conn
	closed    chan struct{}
	once      sync.Once
	tasks     sync.WaitGroup
}

// Listen takes a display number that is free.
func Listen() (*Display, error) {
	if err := checkFolder(); err != nil {
		return nil, err
	}
	var last error
	for n := firstDisplay; n <= lastDisplay; n++ {
		d, err := listen(n)
		if err == nil {
			return d, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no display number is free: %w", last)
}

// checkFolder refuses a Folder in which another user could replace our socket. Root makes it
// where it is missing; systemd-tmpfiles does at boot.
func checkFolder() error {
	if os.Geteuid() == 0 {
		if err := os.Mkdir(Folder, 0o777); err == nil {
			os.Chmod(Folder, 0o777|os.ModeSticky) // as X servers do
		}
	}
	return checkFolders(filepath.Dir(Folder), Folder)
}

func checkFolders(paths ...string) error {
	for _, path := range paths {
		if err := folder.Shared(path); err != nil {
			return fmt.Errorf("%s is not safe for a display's socket: %w", path, err)
		}
	}
	return nil
}

// listen takes one number. A file that somebody left behind stays: whose it is
// cannot be told without a race.
func listen(n int) (*Display, error) {
	path := Folder + "/X" + strconv.Itoa(n)
	if _, err := os.Lstat(path); err == nil {
		return nil, os.ErrExist
	}
	var lc net.ListenConfig
	abstract, err := lc.Listen(context.Background(), "unix", "@"+path)
	if err != nil {
		return nil, err
	}
	file, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, errors.Join(err, abstract.Close())
	}
	d := &Display{Number: n, listeners: [2]net.Listener{abstract, file}, come: make(chan net.Conn), closed: make(chan struct{})}
	for _, l := range d.listeners {
		d.tasks.Go(func() { d.accept(l) })
	}
	return d, nil
}

func (d *Display) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if peer.Passes(err) {
			select {
			case <-time.After(acceptPause):
				continue
			case <-d.closed:
				return
			}
		}
		if err != nil {
			return
		}
		select {
		case d.come <- conn:
		case <-d.closed:
			conn.Close()
			return
		}
	}
}

// acceptPause is the wait for what keeps us from accepting to pass.
const acceptPause = 10 * time.Millisecond

// Name returns the value of DISPLAY.
func (d *Display) Name() string { return ":" + strconv.Itoa(d.Number) }

// Accept is that of net.Listener.
func (d *Display) Accept() (net.Conn, error) {
	select {
	case conn := <-d.come:
		return conn, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Addr is that of net.Listener.
func (d *Display) Addr() net.Addr { return d.listeners[1].Addr() }

// Close stops listening and removes the socket.
func (d *Display) Close() error {
	d.once.Do(func() {
		close(d.closed)
		for _, l := range d.listeners {
			l.Close()
		}
	})
	d.tasks.Wait()
	return nil
}
