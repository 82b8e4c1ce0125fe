package apps

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"

	"goldm/internal/supervise"
	"goldm/ldm/room"
)

const (
	busProgram = "dbus-daemon"
	busTries   = 3 // times that the daemon is started in a session
)

// bus is the D-Bus session of a login's programs. Its socket takes connections
// at once: they wait until the daemon is up.
type bus struct {
	listener *net.UnixListener
	keeper   sync.WaitGroup
}

// startBus starts the programs' D-Bus session, in the room. When ctx is done it is
// not started again.
func startBus(ctx context.Context, f *furnished, home Home, log *slog.Logger, output *os.File) (*bus, error) {
	if _, err := exec.LookPath(busProgram); err != nil {
		return nil, err
	}
	path := filepath.Join(f.User.Dir, "bus")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(path, f.User.UID, f.User.GID), os.Chmod(path, 0o600)); err != nil {
		listener.Close()
		return nil, err
	}
	b := &bus{listener: listener}
	command := room.Command{
		Name: busProgram, Log: log,
		// dbus-daemon(1): "systemd:" takes the socket of sd_listen_fds(3).
		Args:   []string{busProgram, "--session", "--address=systemd:", "--nofork", "--nopidfile"},
		Env:    slices.Concat(f.env, home.Env(), []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + path}),
		Groups: f.Groups, Network: true, Bounded: true, Umask: umask, Dirs: []string{home.Path()}, Output: output,
	}
	b.keeper.Go(func() { b.keep(ctx, f.Room, command, log) })
	return b, nil
}

// keep has the daemon running until ctx is done. Where it cannot, the socket goes: programs are
// better told that there is no bus than kept waiting.
func (b *bus) keep(ctx context.Context, in *room.Room, command room.Command, log *slog.Logger) {
	defer b.listener.Close()
	for range busTries {
		process, err := b.start(in, command)
		if err != nil {
			log.Warn("no D-Bus session", "cause", err)
			return
		}
		err = process.Err() // at the latest when the room is closed
		if ctx.Err() != nil {
			return
		}
		log.Warn("the D-Bus session ended", "cause", err)
	}
}

func (b *bus) start(in *room.Room, command room.Command) (*supervise.Process, error) {
	listener, err := b.listener.File()
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	command.Listener = listener
	return in.Start(command)
}

// address is where programs find the bus. Without one they are told so: they
// would look for another's through the X display.
func (b *bus) address() string {
	if b == nil {
		return "disabled:"
	}
	return "unix:path=" + b.listener.Addr().String()
}

// wait waits for the daemon's end, which is the room's.
func (b *bus) wait() {
	if b != nil {
		b.keeper.Wait()
	}
}
