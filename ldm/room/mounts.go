package room

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

const plain = unix.MS_NOSUID | unix.MS_NODEV

// furnish mounts what a room has of its own, in a mount namespace of its own.
func furnish(u privs.User, own []Device, folder string) error {
	// What the machine mounts later is seen in the room, and what the machine
	// unmounts is not held by it. Nothing goes the other way.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := os.MkdirAll("/run/user", 0o755); err != nil {
		return err
	}
	displays, err := takeDisplays(folder)
	if err != nil {
		return err
	}
	// In all not more than half of the memory.
	for _, m := range []struct {
		target, kind string
		flags        uintptr
		options      string
	}{
		{"/proc", "proc", plain | unix.MS_NOEXEC, ""},
		{"/tmp", "tmpfs", plain, "mode=1777,size=20%"},
		{"/dev/shm", "tmpfs", plain, "mode=1777,size=20%"},
		{"/run/user", "tmpfs", plain, "mode=0755,size=10%"},
	} {
		if err := mount(m.kind, m.target, m.kind, m.flags, m.options); err != nil {
			return err
		}
	}
	if err := errors.Join(makeOwned(runtimeDir(u), u), displays.put()); err != nil {
		return err
	}
	if own == nil {
		return nil
	}
	return mountSound(u, own)
}

// displayDir is where X servers have their sockets (Xserver(1)).
const displayDir = "/tmp/.X11-unix"

// displays is a mount of the folder for displayDir that is not in any place; -1
// where there is none.
type displays int

// takeDisplays takes hold of the folder before another /tmp hides it.
func takeDisplays(folder string) (displays, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, folder, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("%s: %w", folder, err)
	}
	return displays(fd), nil
}

// put lets the room's programs reach X servers, and take no display's place.
func (d displays) put() error {
	if d < 0 {
		return nil
	}
	defer unix.Close(int(d))
	if err := os.Mkdir(displayDir, 0o755); err != nil {
		return err
	}
	if err := unix.MoveMount(int(d), "", unix.AT_FDCWD, displayDir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", displayDir, err)
	}
	return mount("", displayDir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|plain|unix.MS_NOEXEC, "")
}

// makeOwned makes a folder of u's. It may lie in another one, where u could put
// a link in its place at any time.
func makeOwned(path string, u privs.User) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Lchown(path, u.UID, u.GID)
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}
