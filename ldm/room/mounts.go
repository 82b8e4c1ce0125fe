package room

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

const plain = unix.MS_NOSUID | unix.MS_NODEV

// furnish mounts what a room has of its own, in a mount namespace of its own.
func furnish(u privs.User, own []Device) error {
	// What the machine mounts later is seen in the room, and what the machine
	// unmounts is not held by it. Nothing goes the other way.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := os.MkdirAll("/run/user", 0o755); err != nil {
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
	if err := makeOwned(runtimeDir(u), u); err != nil {
		return err
	}
	if own == nil {
		return nil
	}
	return mountSound(u, own)
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
