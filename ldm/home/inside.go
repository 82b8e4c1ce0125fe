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
	"strconv"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/ldm/room"
)

// The descriptors that our processes inherit.
const (
	stageFD  = 3 // of the room's stage; then of the FUSE device
	mountsFD = 4 // of the room's mounts
	reportFD = 5
)

// plan is what a process mounts before it becomes sshfs.
type plan struct {
	User   privs.User
	Parent int
	Path   string // in the room
	Point  string // in the stage, from where it arrives there
}

// report tells how far it came.
type report struct {
	Missing bool // there is no sshfs
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
		var points []string
		if err := json.Unmarshal([]byte(args[1]), &points); err != nil {
			return err
		}
		return unmount(points)
	}
	return fmt.Errorf("home: %q", args[0])
}

// run mounts the folder, gives up root and becomes sshfs.
func (p *plan) run() error {
	runtime.LockOSThread() // which is the one that execs
	unix.CloseOnExec(reportFD)
	unix.CloseOnExec(mountsFD)
	var r report
	program, err := exec.LookPath("sshfs")
	if err == nil {
		err = p.mount()
	} else if errors.Is(err, exec.ErrNotFound) {
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
	options, err := optionsOf(program)
	if err != nil {
		return err
	}
	return p.become(program, options)
}

// become goes on as sshfs, as the user and with the room's files: what a server makes of it
// can write nothing of this machine. After joining the room it does nothing as root.
func (p *plan) become(program, options string) error {
	if err := room.Join(mountsFD); err != nil {
		return err
	}
	if err := errors.Join(privs.Seal(), privs.Become(p.User)); err != nil {
		return err
	}
	// sshfs takes the name for its mount point, and the descriptor for mounted:
	// libfuse, fuse_session_mount.
	device := "/dev/fd/" + strconv.Itoa(stageFD)
	return privs.Replace(p.Parent, nil, []string{program, ":" + p.Path, device, "-f", "-o", options})
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

// mount mounts in the stage, where no program can have put anything.
func (p *plan) mount() error {
	if err := room.Join(stageFD); err != nil {
		return err
	}
	unix.Umask(0o022)
	if err := openFUSE(); err != nil {
		return err
	}
	target, err := p.place()
	if err != nil {
		return err
	}
	defer unix.Close(target)
	// Without allow_other it is for this user alone, not for root either.
	data := fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d", stageFD, unix.S_IFDIR, p.User.UID, p.User.GID)
	return mountOn(target, "server:"+p.Path, data)
}

// openFUSE opens the device as stageFD, which Join has closed.
func openFUSE() error {
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/fuse: %w", err)
	}
	if device == stageFD { // which is to last
		_, err = unix.FcntlInt(stageFD, unix.F_SETFD, 0)
	} else {
		err = errors.Join(unix.Dup3(device, stageFD, 0), unix.Close(device))
	}
	if err != nil {
		return fmt.Errorf("dup: %w", err)
	}
	return nil
}

// place makes and opens the point to mount on.
func (p *plan) place() (int, error) {
	if !path.IsAbs(p.Point) || path.Clean(p.Point) != p.Point {
		return 0, fmt.Errorf("mount point %.200q", p.Point)
	}
	if err := os.MkdirAll(p.Point, 0o755); err != nil {
		return 0, err
	}
	return room.OpenDir(p.Point)
}

// mountOn mounts on a folder that is open: no path is looked up twice.
func mountOn(dir int, source, data string) error {
	if err := unix.Fchdir(dir); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	defer unix.Chdir("/")
	if err := unix.Mount(source, ".", "fuse.sshfs", unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

// unmount takes mounts away from the stage, and so from the room. What is none any more is no
// trouble.
func unmount(points []string) error {
	runtime.LockOSThread()
	if err := room.Join(stageFD); err != nil {
		return err
	}
	var errs []error
	for _, point := range points {
		err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}
