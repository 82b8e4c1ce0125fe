// Package xserver starts a seat's X server: on a display number of its own
// choice, with its own cookie, and reachable through its Unix socket alone unless
// it is wanted otherwise.
package xserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/internal/xauth"
)

const (
	startLimit = time.Minute      // an X server that probes old hardware is slow, not dead
	stopGrace  = 10 * time.Second // after TERM Xorg may hang in a driver
)

// Config says which X server to start and how.
type Config struct {
	Args  []string // program and options, without those that this package gives
	Fence []string // words in front of Args that make it run as User
	User  privs.User
	TCP   bool // whether it listens on the network too, for who has the cookie

	Dir    string // where the cookie's file goes; root's own
	Output *os.File
	Group  *supervise.Group
}

// Server is an X server that takes clients.
type Server struct {
	Display string // such as ":0"
	Cookie  []byte // MIT-MAGIC-COOKIE-1

	process *supervise.Process
	auth    string
}

// Start starts an X server and returns when it takes clients (Xserver(1),
// -displayfd), or with an error when it ended or said nothing for a minute.
func Start(ctx context.Context, c Config) (*Server, error) {
	s := &Server{Cookie: xauth.NewCookie(), auth: filepath.Join(c.Dir, "xserver.auth")}
	if err := WriteAuth(s.auth, c.User, s.Cookie); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	args := slices.Concat(c.Fence, c.Args, []string{"-displayfd", "3", "-auth", s.auth, listen(c.TCP), "tcp", "-noreset"})
	s.process, err = c.Group.Start(supervise.Command{
		Name: "x server", Args: args, Files: []*os.File{w},
		Env:    []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"},
		Stdout: c.Output, Stderr: c.Output,
	})
	if err != nil {
		return nil, err
	}
	if s.Display, err = readDisplay(ctx, r); err != nil {
		s.Stop()
		if errors.Is(err, errEnded) {
			err = cmp.Or(s.process.Err(), err)
		}
		return nil, err
	}
	return s, nil
}

// errEnded is for a server that says nothing any more.
var errEnded = errors.New("it ended before it was up")

// listen is Xserver(1)'s option for a way that clients take, or do not.
func listen(on bool) string {
	if on {
		return "-listen"
	}
	return "-nolisten"
}

// readDisplay reads the number that the server writes when it is up.
func readDisplay(ctx context.Context, r *os.File) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.SetReadDeadline(time.Now()) })()
	var line []byte
	for buffer := make([]byte, 16); !bytes.HasSuffix(line, []byte("\n")); {
		n, err := r.Read(buffer)
		line = append(line, buffer[:n]...)
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("no display: %w", ctx.Err())
		case errors.Is(err, io.EOF):
			return "", errEnded
		case err != nil:
			return "", err
		case len(line) > 16:
			return "", fmt.Errorf("display number %.20q…", line)
		}
	}
	number, err := strconv.ParseUint(strings.TrimSpace(string(line)), 10, 16)
	if err != nil {
		return "", fmt.Errorf("display number %q", line)
	}
	return fmt.Sprintf(":%d", number), nil
}

// WriteAuth writes a file with one cookie for any display, readable by u alone.
// Its folder has to be root's own. The file replaces an older one of the name.
func WriteAuth(path string, u privs.User, cookie []byte) error {
	var content bytes.Buffer
	entry := xauth.Entry{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: cookie}
	if err := xauth.Write(&content, []xauth.Entry{entry}); err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.WriteFile(temporary, content.Bytes(), 0o400); err != nil {
		return err
	}
	if err := os.Chown(temporary, u.UID, u.GID); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err waits for the end and tells how it was.
func (s *Server) Err() error { return s.process.Err() }

// PID is the server's process.
func (s *Server) PID() int { return s.process.Pid() }

// Socket is its Unix socket.
func (s *Server) Socket() string { return "/tmp/.X11-unix/X" + strings.TrimPrefix(s.Display, ":") }

// Kill ends a server that hangs and waits; what it left is removed.
func (s *Server) Kill() {
	s.process.Stop(0)
	s.cleanUp()
}

// Stop ends the server and waits; what it left is removed.
func (s *Server) Stop() {
	s.process.Stop(stopGrace)
	s.cleanUp()
}

// cleanUp removes the cookie, and the socket of a server that was killed and could not do so
// itself. A socket on which somebody listens is another server's by now. There is no lock file:
// servers make none with -displayfd.
func (s *Server) cleanUp() {
	os.Remove(s.auth)
	number, ok := strings.CutPrefix(s.Display, ":")
	if !ok || s.process.Err() == nil {
		return
	}
	socket := "/tmp/.X11-unix/X" + number
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		conn.Close()
	} else if errors.Is(err, unix.ECONNREFUSED) {
		os.Remove(socket)
	}
}
