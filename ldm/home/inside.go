package home

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

// The descriptors that our processes in a room inherit.
const (
	roomFD   = 3 // of the room's first process; then of the FUSE device
	reportFD = 4
)

// plan is what a process mounts before it becomes sshfs.
type plan struct {
	User   privs.User
	Parent int
	Path   string
	Prefix string   // above a home; empty for other folders
	Covers []string // what was covered before
}

// report tells how far it came.
type report struct {
	Cover   string // folder of the client that is covered now
	Missing bool   // there is no sshfs
	Trouble string
}

const maxReport = 16 << 10

// options are sshfs's. What another computer does to a file is seen after two
// seconds, with the kernel's own one, instead of twenty. No page outlives its
// file's last open: auto_cache would go by whole seconds and trust the size.
const options = "passive,idmap=user,dcache_timeout=2"

// followLinks lets symbolic links lead out of the folder, as on the server. Later
// versions refuse those, and Debian's that have the fix of its advisory: what a
// server's link can lead a program to here is no more than its user may see
// anyway, who has nothing on a client.
const followLinks = "no_contain_symlinks"

// Main is the other end of Config.Self: it takes the words that were put after
// it. Where it mounts it returns only with an error.
func Main(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("home: %d words", len(args))
	}
	switch args[0] {
	case "mount":
		var p plan
		if err := json.Unmarshal([]byte(args[1]), &p); err != nil {
			return err
		}
		return p.run()
	case "unmount":
		var paths []string
		if err := json.Unmarshal([]byte(args[1]), &paths); err != nil {
			return err
		}
		return unmount(paths)
	}
	return fmt.Errorf("home: %q", args[0])
}

// run mounts the folder, gives up root and becomes sshfs.
func (p *plan) run() error {
	unix.CloseOnExec(reportFD)
	var r report
	err := p.mount(&r)
	if errors.Is(err, exec.ErrNotFound) {
		r.Missing = true
	}
	if err != nil {
		r.Trouble = err.Error()
	}
	words, e := json.Marshal(r)
	if e == nil {
		_, e = unix.Write(reportFD, words)
	}
	if err := errors.Join(err, e); err != nil {
		return err
	}
	program, err := exec.LookPath("sshfs")
	if err != nil {
		return err
	}
	options, err := optionsOf(program)
	if err != nil {
		return err
	}
	// sshfs takes the name for its mount point, and the descriptor for mounted:
	// libfuse, fuse_session_mount.
	device := "/dev/fd/" + strconv.Itoa(roomFD)
	return privs.Exec(p.User, p.Parent, []string{program, ":" + p.Path, device, "-f", "-o", options})
}

// optionsOf adds what this sshfs knows: an option that it does not know ends it.
func optionsOf(program string) (string, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	if bytes.Contains(text, []byte(followLinks)) {
		return options + "," + followLinks, nil
	}
	return options, nil
}

func (p *plan) mount(r *report) error {
	if _, err := exec.LookPath("sshfs"); err != nil {
		return err
	}
	if err := enter(); err != nil {
		return err
	}
	unix.Umask(0o022)
	target, err := p.place(r)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/fuse: %w", err)
	}
	if err := unix.Dup3(device, roomFD, 0); err != nil {
		return fmt.Errorf("dup: %w", err)
	}
	unix.Close(device)
	// Without allow_other it is for this user alone, not for root either.
	data := fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d", roomFD, unix.S_IFDIR, p.User.UID, p.User.GID)
	return mountOn(target, "server:"+p.Path, "fuse.sshfs", data)
}

// enter makes the room's mounts those of this process.
func enter() error {
	runtime.LockOSThread() // which is the one that execs
	// setns(2): a mount namespace is joined only by who shares no working directory.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Setns(roomFD, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the room: %w", err)
	}
	return nil
}

// place returns the folder to mount on, with no symbolic link on the way. Where
// the client has none it is made on a tmpfs, over the prefix or, without that,
// over the nearest folder, if that is empty.
func (p *plan) place(r *report) (int, error) {
	target, err := openDir(p.Path)
	switch {
	case err == nil && p.Prefix == "":
		return target, nil
	case err == nil:
		unix.Close(target)
	case !errors.Is(err, unix.ENOENT):
		return 0, err
	}
	base, err := p.base()
	if err != nil {
		return 0, err
	}
	covered := func(c string) bool { return base == c || strings.HasPrefix(base, c+"/") }
	if !slices.ContainsFunc(p.Covers, covered) {
		if err := p.cover(base); err != nil {
			return 0, err
		}
		r.Cover = base
	}
	if err := os.MkdirAll(p.Path, 0o755); err != nil {
		return 0, err
	}
	return openDir(p.Path)
}

// base returns the folder of the client that the mount point is made in: the
// prefix, or what there is of the way to it.
func (p *plan) base() (string, error) {
	at := p.Prefix
	if at == "" {
		at = p.Path
	}
	for {
		dir, err := openDir(at)
		if err == nil {
			unix.Close(dir)
			return at, nil
		}
		if !errors.Is(err, unix.ENOENT) || at == "/" {
			return "", err
		}
		at = path.Dir(at)
	}
}

// cover mounts an empty tmpfs over a folder.
func (p *plan) cover(base string) error {
	if base != p.Prefix {
		entries, err := os.ReadDir(base)
		if err != nil {
			return err
		}
		if base == "/" || len(entries) > 0 {
			return fmt.Errorf("there is no folder %.200q on this client, and %q is not empty", p.Path, base)
		}
	}
	dir, err := openDir(base)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return mountOn(dir, "tmpfs", "tmpfs", "mode=0755,size=64k")
}

// openDir opens a folder by a path without symbolic links.
func openDir(path string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// mountOn mounts on a folder that is open: no path is looked up twice.
func mountOn(dir int, source, kind, data string) error {
	if err := unix.Fchdir(dir); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	defer unix.Chdir("/")
	if err := unix.Mount(source, ".", kind, unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		return fmt.Errorf("mount %s: %w", kind, err)
	}
	return nil
}

// unmount takes mounts away, with those below them. What is none any more is no
// trouble.
func unmount(paths []string) error {
	if err := enter(); err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}
