package room

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

// displayDir is where X servers have their sockets (Xserver(1)).
const displayDir = "/tmp/.X11-unix"

// runtimeFolders are what a room has of the machine's /run, where the machine has it: names
// of computers and users, printers, cards, and what udev and logind say of devices and
// seats. Not among them are the system's D-Bus and the journal's sockets.
var runtimeFolders = []string{
	"avahi-daemon", "cups", "nscd", "pcscd", "resolvconf", "udev", "userdb",
	"systemd/resolve", "systemd/machines", "systemd/seats", "systemd/sessions", "systemd/users",
}

// resolverFile may lead to a folder of /run.
const resolverFile = "/etc/resolv.conf"

// configDir holds passwords, in whatever file.
const configDir = "/etc/ltsp"

const (
	private  = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	readOnly = private | unix.MOUNT_ATTR_RDONLY
)

// attachment is a mount that is not in any place yet.
type attachment struct {
	fd       int
	path     string // where it goes
	file     bool   // onto a file
	optional bool   // what cannot be there is told, and left out
}

// furnish makes the room of a copy of the stage: all of the machine read-only, and its
// own in the places that programs write to. In all that is not more than half of the memory.
func (p *plan) furnish() error {
	// What is mounted in the stage arrives; nothing goes back.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := p.ensurePoints(); err != nil {
		return err
	}
	kept, err := p.keep()
	if err != nil {
		return err
	}
	// Of the stage the room has what was kept.
	if err := unix.Unmount(p.Stage, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("unmount %s: %w", p.Stage, err)
	}
	all := &unix.MountAttr{Attr_set: readOnly}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, all); err != nil {
		return fmt.Errorf("make the machine read-only: %w", err)
	}
	if err := p.mountOwn(); err != nil {
		return err
	}
	for _, a := range kept {
		if err := a.put(); err != nil {
			return err
		}
	}
	return mountBelow()
}

// keep takes hold of what the room has of the machine and of the stage, before anything
// hides it. No program can write in any of it: what is root's there stays so.
func (p *plan) keep() (kept []attachment, err error) {
	add := func(source string, attr uint64, a attachment) {
		fd, e := take(source, attr)
		if err = errors.Join(err, e); e == nil {
			a.fd = fd
			kept = append(kept, a)
		}
	}
	add(filepath.Join(p.Stage, devFolder), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_RDONLY, attachment{path: "/dev"})
	add(p.Folder, readOnly|unix.MOUNT_ATTR_NOEXEC, attachment{path: p.Folder})
	for i, home := range p.Homes {
		if isDir(home) && !p.inHomes(home) {
			add(p.home(i), readOnly, attachment{path: home, optional: true})
		}
	}
	for i, extra := range p.Extra {
		if isDir(extra) && !p.inHomes(extra) {
			add(p.extra(i), readOnly, attachment{path: extra, optional: true})
		}
	}
	for _, folder := range runtimeOf() {
		add(folder, readOnly|unix.MOUNT_ATTR_NOEXEC, attachment{path: folder})
	}
	for _, path := range p.hidden() {
		add(filepath.Join(p.Stage, emptyFile), readOnly, attachment{path: path, file: true})
	}
	if isDir(p.Displays) {
		add(p.Displays, readOnly|unix.MOUNT_ATTR_NOEXEC, attachment{path: displayDir})
	}
	return kept, err
}

// runtimeOf lists the folders of /run that the room has, the resolver's too.
func runtimeOf() []string {
	var folders []string
	for _, name := range runtimeFolders {
		folders = append(folders, filepath.Join("/run", name))
	}
	if path, err := filepath.EvalSymlinks(resolverFile); err == nil {
		folder := filepath.Dir(path)
		if strings.HasPrefix(folder, "/run/") && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return slices.DeleteFunc(folders, func(f string) bool { return !isDir(f) })
}

// isDir reports whether there is a folder, with no link on the way.
func isDir(path string) bool {
	fd, err := OpenDir(path)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}

// hidden lists the files to hide that there are, by their real names.
func (p *plan) hidden() []string {
	var paths []string
	for _, path := range p.Hidden {
		if real, err := filepath.EvalSymlinks(path); err == nil && !strings.HasPrefix(real, configDir+"/") {
			paths = append(paths, real)
		}
	}
	return paths
}

// take takes a copy of the mount at a path. Mounts from the stage arrive in it, too.
func take(source string, attr uint64) (fd int, err error) {
	fd, err = unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return -1, &os.PathError{Op: "open_tree", Path: source, Err: err}
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: attr}); err != nil {
		return -1, &os.PathError{Op: "mount_setattr", Path: source, Err: err}
	}
	return fd, nil
}

// put puts the mount into its place, which is made if it can be.
func (a attachment) put() error {
	defer unix.Close(a.fd)
	if !a.file {
		os.MkdirAll(a.path, 0o755) // else there is no place
	}
	err := unix.MoveMount(a.fd, "", unix.AT_FDCWD, a.path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err == nil {
		return nil
	}
	if err = fmt.Errorf("mount %s: %w", a.path, err); a.optional {
		fmt.Fprintln(os.Stderr, err)
		return nil
	}
	return err
}

// ensurePoints makes the folders that something is mounted on and that the machine lacks:
// on a tmpfs over the nearest folder, if that is empty. A home or a further folder for
// which it cannot be done is told, and not mounted.
func (p *plan) ensurePoints() error {
	for _, path := range slices.Concat(p.Homes, p.Extra) {
		if p.inHomes(path) || isDir(path) {
			continue
		}
		if err := ensure(path); err != nil {
			fmt.Fprintf(os.Stderr, "nothing of a server can be mounted on %q: %v\n", path, err)
		}
	}
	return nil
}

func (p *plan) inHomes(path string) bool {
	return slices.ContainsFunc(p.Homes, func(home string) bool { return strings.HasPrefix(path, home+"/") })
}

func ensure(path string) error {
	base := filepath.Dir(path)
	for ; !isDir(base) && base != "/"; base = filepath.Dir(base) {
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		return err
	}
	if base == "/" || len(entries) > 0 {
		return fmt.Errorf("there is no such folder on this client, and %q is not empty", base)
	}
	if err := mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64k"); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o755)
}

// mountOwn mounts what is the room's own. Folders for all, such as /tmp, share one bound.
func (p *plan) mountOwn() error {
	err := errors.Join(
		mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		mount("tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=20%"),
		mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=10%"),
		os.MkdirAll("/run/lock", 0o755),
		os.MkdirAll("/run/user", 0o755),
	)
	if err != nil {
		return err
	}
	for _, target := range []string{"/var/tmp", "/run/lock", "/tmp"} { // the last hides where the others are
		if !isDir(target) {
			continue // a link to one of the others
		}
		own := filepath.Join("/tmp", strings.ReplaceAll(target[1:], "/", "-"))
		if err := errors.Join(os.Mkdir(own, 0o755), os.Chmod(own, 0o777|os.ModeSticky), mount(own, target, "", unix.MS_BIND, "")); err != nil {
			return err
		}
	}
	return makeOwned(runtimeDir(p.User), p.User)
}

// mountBelow mounts what lies in places that are there by now.
func mountBelow() error {
	if err := mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	if err := mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=20%"); err != nil {
		return err
	}
	if info, err := os.Lstat(configDir); err == nil && info.IsDir() {
		return mount("tmpfs", configDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "mode=0700,size=4k")
	}
	return nil
}

// makeOwned makes a folder of u's.
func makeOwned(path string, u privs.User) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Lchown(path, u.UID, u.GID)
}
