package localdisplay

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"goldm/internal/privs"
)

// The numbers of displays for local programs. X servers take theirs from 0 up
// (Xserver(1), -displayfd), sshd from 10.
const (
	firstNumber = 100
	lastNumber  = 59535 // display.Parse takes no larger one: 6000 more is a TCP port
)

// socketFolder is where programs look for a display: in a room, the folder that
// MakeFolder made.
const socketFolder = "/tmp/.X11-unix"

// MakeFolder makes the folder for a display's socket in dir, which is root's own.
// A room shows it in place of the machine's.
func MakeFolder(dir string) (string, error) {
	folder := filepath.Join(dir, "x11")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o755) // the umask
}

// sockets are those of a display.
type sockets struct {
	number         int
	abstract, path *net.UnixListener
}

// listen takes the first number that is free in every way.
func listen(folder string, user privs.User) (*sockets, error) {
	for number := firstNumber; number <= lastNumber; number++ {
		if taken(number) {
			continue
		}
		abstract, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("@%s/X%d", socketFolder, number), Net: "unix"})
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, err
		}
		path, err := listenPath(filepath.Join(folder, fmt.Sprintf("X%d", number)), user)
		if err != nil {
			abstract.Close()
			return nil, err
		}
		return &sockets{number: number, abstract: abstract, path: path}, nil
	}
	return nil, errors.New("no display number is free")
}

// taken reports whether the machine's X servers use a number.
func taken(number int) bool {
	for _, path := range []string{fmt.Sprintf("%s/X%d", socketFolder, number), fmt.Sprintf("/tmp/.X%d-lock", number)} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return true
		}
	}
	return false
}

// listenPath makes a socket for one user alone.
func listenPath(path string, user privs.User) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(path, user.UID, user.GID), os.Chmod(path, 0o600)); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// files returns copies of the sockets for the filter, which the caller closes.
func (s *sockets) files() ([]*os.File, error) {
	abstract, err := s.abstract.File()
	if err != nil {
		return nil, err
	}
	path, err := s.path.File()
	if err != nil {
		abstract.Close()
		return nil, err
	}
	return []*os.File{abstract, path}, nil
}

func (s *sockets) close() {
	s.abstract.Close()
	s.path.Close()
}
