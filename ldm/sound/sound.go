package sound

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"goldm/internal/privs"
	"goldm/ldm/room"
)

// cookieSize is that of PulseAudio's cookies, NATIVE_COOKIE_LENGTH.
const cookieSize = 256

// The names in Config.Dir.
const (
	socketFile = "native"
	cookieFile = "cookie"
	configDir  = "config"
)

// Config says what to run, and for whom.
type Config struct {
	Daemon *Daemon
	Volume int // percent

	Room *room.Room
	User privs.User // the room's
	Peer privs.User // whom the socket is for, besides
	Dir  string     // root's own; everybody may pass it

	// Groups are the supplementary groups that open the sound cards.
	Groups []int

	Realtime bool // whether this process can allow it: room.MayRaise

	// Output returns a file for what a process says, and what to call when it
	// has ended.
	Output func(process string) (*os.File, func(), error)
	Log    *slog.Logger
}

func (c *Config) socket() string { return c.path(socketFile) }

// Sound is a sound daemon that runs, or is about to run again.
type Sound struct {
	Socket string // where it takes programs
	Cookie []byte // what they have to show; PipeWire takes any

	config   Config
	listener *net.UnixListener
	cancel   context.CancelFunc
	keeper   sync.WaitGroup
	runs     int // the keeper's
}

// Start starts the daemon. Its socket takes connections at once: they wait
// until it is up.
func Start(c Config) (*Sound, error) {
	s := &Sound{Socket: c.socket(), Cookie: make([]byte, cookieSize), config: c}
	rand.Read(s.Cookie)
	if err := s.writeFiles(); err != nil {
		return nil, fmt.Errorf("sound: %w", err)
	}
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("sound: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.keeper.Go(func() { s.keep(ctx) })
	return s, nil
}

// CookieFile holds the cookie, for the room's user to read.
func (s *Sound) CookieFile() string { return s.config.path(cookieFile) }

// Stop ends the daemon and waits for its end.
func (s *Sound) Stop() {
	s.cancel()
	s.keeper.Wait()
	s.listener.Close()
}

// listen makes the socket. Who may connect is decided by its own mode: unix(7).
func (s *Sound) listen() error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.Socket, Net: "unix"})
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chown(s.Socket, s.config.Peer.UID, s.config.User.GID), os.Chmod(s.Socket, 0o660)); err != nil {
		l.Close()
		return err
	}
	s.listener = l
	return nil
}

// writeFiles writes the configuration, for everybody to read, and the cookie,
// for the daemon and the room's programs alone.
func (s *Sound) writeFiles() error {
	c := &s.config
	if err := os.Mkdir(c.path(configDir), 0o755); err != nil {
		return err
	}
	for name, text := range c.Daemon.files(c) {
		path := filepath.Join(c.path(configDir), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(
		openUp(c.path(configDir)),
		os.WriteFile(c.path(cookieFile), s.Cookie, 0o400),
		os.Chown(c.path(cookieFile), c.User.UID, c.User.GID),
	)
}

// openUp lets everybody read what is in a folder, whatever the umask was.
func openUp(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}
