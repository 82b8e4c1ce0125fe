package home

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/cgroup"
	"goldm/internal/failure"
	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/ldm/room"
)

const (
	stopGrace = time.Second // from TERM to KILL for sshfs

	// cacheDir is where programs keep what they can do without, on a tmpfs of the
	// room's: over the network it would be slower than not to have it.
	cacheDir = "/tmp/.cache"
)

// Config says where to mount, and for whom.
type Config struct {
	Room  *room.Room
	User  privs.User       // the room's
	Self  []string         // this program's command that calls Main with the words after it
	Group *supervise.Group // owner of the processes

	Cgroup *cgroup.Login // of the processes; nil for none

	Prefixes []string // folders that homes lie under, those of the room
	Extra    []string // further folders that the worker was asked for, those of the room

	// Output returns a file for what a process says, and what to call when it
	// has ended.
	Output func(process string) (*os.File, func(), error)
	Log    *slog.Logger
}

var (
	errEnded     = errors.New("sshfs ended")
	errNoProgram = errors.New("sshfs is not installed")
)

// Home is a home that is mounted, with further folders.
type Home struct {
	config  Config
	path    string
	folders []*folder
	close   sync.Once
	closed  chan struct{} // once Close has begun
	keepers sync.WaitGroup
}

// Mount mounts the folders that the worker names, the home first, and returns
// when they can be used. The files are sockets that speak SFTP, in the order of
// the paths; they are closed in any case. A further folder that cannot be mounted
// is left out, and the log says why. The error is a *failure.Failure for who
// asked for a program.
func Mount(ctx context.Context, c Config, paths []string, files []*os.File) (*Home, error) {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if len(paths) == 0 || len(paths) != len(files) {
		return nil, failure.New(fmt.Errorf("%d paths and %d files", len(paths), len(files)),
			"Your home directory on the server could not be opened.")
	}
	h := &Home{config: c, path: paths[0], closed: make(chan struct{})}
	err := checkHome(h.path, c.Prefixes)
	if err == nil {
		err = h.mount(ctx, h.path, files[0])
	}
	if err != nil {
		h.Close()
		return nil, explain(h.path, err)
	}
	mounted := paths[:1:1]
	for i, path := range paths[1:] {
		err := checkExtra(path, c.Extra, mounted)
		if err == nil {
			err = h.mount(ctx, path, files[i+1])
		}
		if err != nil {
			c.Log.Warn("a folder of the server is not mounted", "folder", path, "cause", err)
			continue
		}
		mounted = append(mounted, path)
	}
	return h, nil
}

// explain says why there is no home.
func explain(path string, err error) error {
	err = fmt.Errorf("home %.200q: %w", path, err)
	switch {
	case errors.Is(err, errUnclean), errors.Is(err, errOutside):
		return failure.New(err, "Your home directory on the server, %.100q, cannot be used on this client. Ask the administrator.", path)
	case errors.Is(err, errNoProgram):
		return failure.New(err, "This client cannot open your home directory. Ask the administrator to install sshfs on it.")
	}
	return failure.New(err, "Your home directory on the server could not be opened on this client. Ask the administrator.")
}

// Path is where the home is, in the room.
func (h *Home) Path() string { return h.path }

// Env returns the variables with which programs find the home, and a place for
// what they can do without.
func (h *Home) Env() []string { return []string{"HOME=" + h.path, "XDG_CACHE_HOME=" + cacheDir} }

// Done is closed when the home is lost: the server closed it, or sshfs ended.
func (h *Home) Done() <-chan struct{} { return h.folders[0].process.Done() }

// Close unmounts everything, whoever uses it, and returns when no process of it
// is left. It may be called more than once, from any goroutine.
func (h *Home) Close() {
	h.close.Do(func() {
		close(h.closed)
		for _, f := range h.folders {
			h.keepers.Go(func() { f.process.Stop(stopGrace) })
		}
		h.keepers.Wait()
		h.unmount(h.folders...)
	})
}

// mount mounts one folder and waits until it can be used.
func (h *Home) mount(ctx context.Context, path string, socket *os.File) error {
	if err := checkSocket(socket); err != nil {
		return err
	}
	f, err := h.start(ctx, path, socket)
	if err != nil {
		return err
	}
	if err := h.await(ctx, f); err != nil {
		f.process.Stop(stopGrace)
		f.done()
		h.unmount(f)
		return err
	}
	h.folders = append(h.folders, f)
	h.keepers.Go(func() { h.keep(f) })
	return nil
}

// keep unmounts a folder as soon as it is lost. Then programs do not find it,
// instead of a thing that answers each of their calls with an error.
func (h *Home) keep(f *folder) {
	<-f.process.Done()
	f.done()
	select {
	case <-h.closed:
	default:
		h.config.Log.Warn("a folder of the server is lost", "folder", f.path)
		h.unmount(f)
	}
}

// await has a program of the user's look at a folder: the first answer comes
// when sshfs is ready. It makes the folder for caches besides.
func (h *Home) await(ctx context.Context, f *folder) error {
	process, err := h.config.Room.Start(room.Command{
		Name: "look at the home", Log: h.config.Log,
		Args: []string{"test", "-d", f.path}, Env: []string{"PATH=/usr/bin:/bin"}, Folder: cacheDir,
	})
	if err != nil {
		return err
	}
	select {
	case <-process.Done():
		return process.Err()
	case <-f.process.Done():
	case <-ctx.Done():
	}
	process.Stop(0)
	return cmp.Or(ctx.Err(), errEnded)
}

// checkSocket refuses what is not a socket of the kind that was asked for.
func checkSocket(f *os.File) error {
	for _, want := range []struct{ option, value int }{{unix.SO_DOMAIN, unix.AF_UNIX}, {unix.SO_TYPE, unix.SOCK_STREAM}} {
		got, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, want.option)
		if err != nil {
			return fmt.Errorf("the worker's file: %w", err)
		}
		if got != want.value {
			return fmt.Errorf("the worker's file: socket option %d is %d", want.option, got)
		}
	}
	return nil
}
