package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// openLimit is how long a server may take over one folder, until it is ready to
// be mounted.
const openLimit = 15 * time.Second

// Server opens subsystems; a *session.Client is one.
type Server interface {
	Subsystem(ctx context.Context, name string) (ssh.Channel, error)
}

// Config says what to open.
type Config struct {
	Server Server
	Extra  []string // paths of folders beside the home
	Lock   Lock     // nil where nothing is locked
	Log    *slog.Logger
}

// Folder is a folder of the server.
type Folder struct {
	Path string // absolute, on the server

	// Socket is a stream socket on which the server speaks SFTP: the first packet
	// is to be the client's INIT. The caller closes it.
	Socket *os.File
}

// Home is what is open of a server for one client.
type Home struct {
	Folders []Folder // the user's home, and the extra ones that there are

	config   Config
	carriers sync.WaitGroup
	cancel   context.CancelFunc
}

// Open opens the user's home, and extra folders by their paths. An extra folder
// that cannot be opened is left out, and the log says why. Close and Wait have to
// follow, also after an error.
func Open(ctx context.Context, c Config) (*Home, error) {
	carry, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &Home{config: c, cancel: cancel}
	if err := h.open(ctx, carry, ""); err != nil {
		return h, fmt.Errorf("the home: %w", err)
	}
	for _, folder := range c.Extra {
		if err := h.open(ctx, carry, folder); err != nil {
			c.Log.Warn("a folder of the server is not mounted", "folder", folder, "err", err)
		}
	}
	return h, ctx.Err()
}

// Close ends all channels. It leaves the sockets in Folders alone.
func (h *Home) Close() { h.cancel() }

// Wait waits until nothing of it runs any more: after Close, and for as long as a
// server takes to agree to the end of a channel, or the connection to end.
func (h *Home) Wait() { h.carriers.Wait() }

// open opens one folder; an empty path stands for the home.
func (h *Home) open(ctx, carry context.Context, folder string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, openLimit, errors.New("the server takes too long"))
	defer cancel()
	channel, err := h.config.Server.Subsystem(ctx, "sftp")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { channel.Close() })
	folder, greeting, err := prepare(channel, folder)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		channel.Close()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	near, far, err := socketPair()
	if err != nil {
		channel.Close()
		return err
	}
	h.Folders = append(h.Folders, Folder{Path: folder, Socket: far})
	h.carriers.Go(func() {
		err := h.carry(carry, near, channel, greeting)
		h.config.Log.Info("a folder of the server is closed", "folder", folder, "err", err)
	})
	return nil
}

// prepare learns what there is to know of a folder before it is mounted.
func prepare(channel io.ReadWriter, folder string) (string, packet, error) {
	greeting, err := greet(channel)
	if err != nil {
		return "", nil, fmt.Errorf("sftp: %w", err)
	}
	if folder == "" {
		if folder, err = workingDir(channel); err != nil {
			return "", nil, err
		}
		if !utf8.ValidString(folder) || !path.IsAbs(folder) || len(folder) >= unix.PathMax {
			return "", nil, fmt.Errorf("the path %.100q is of no use", folder)
		}
	}
	if err := checkFolder(channel, folder); err != nil {
		return "", nil, fmt.Errorf("%.200q: %w", folder, err)
	}
	return folder, greeting, nil
}

// socketPair returns two ends of a stream, the second one to be handed over.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
	defer near.Close()
	conn, err := net.FileConn(near)
	if err != nil {
		far.Close()
		return nil, nil, err
	}
	return conn, far, nil
}

// carry carries packets both ways until either side ends or ctx does. What a side
// does not take holds up the other: both have a window of their own.
func (h *Home) carry(ctx context.Context, socket net.Conn, channel ssh.Channel, greeting packet) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := sync.OnceFunc(func() {
		cancel()
		socket.Close()
		channel.Close()
	})
	defer end()
	defer context.AfterFunc(ctx, end)()
	if err := greetAgain(socket, greeting); err != nil {
		return err
	}
	g := newGuard(ctx, h.config.Lock, socket, channel, h.config.Log)
	defer g.close()
	var answers sync.WaitGroup
	answers.Go(func() {
		defer end()
		carry(channel, g.toHere, g.answer)
	})
	err := carry(socket, g.toThere, g.request)
	ended := ctx.Err() != nil
	end()
	answers.Wait()
	if ended || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// greetAgain answers whoever mounts the folder as the server has answered us.
func greetAgain(socket io.ReadWriter, greeting packet) error {
	p, err := readPacket(socket)
	if err != nil {
		return err
	}
	if p[0] != typeInit {
		return fmt.Errorf("the first packet is of type %d", p[0])
	}
	return writePacket(socket, greeting)
}
