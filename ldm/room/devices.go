package room

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

const soundDir = "/dev/snd"

// Device is a character device.
type Device struct {
	Name   string
	Number uint64 // as in stat(2), st_rdev
}

// Playback lists the sound devices that a program needs to play and that let
// nobody record. It is empty, not nil, where there are none.
func Playback() ([]Device, error) {
	devices := []Device{}
	for _, pattern := range []string{"controlC*", "pcmC*D*p", "timer"} {
		paths, err := filepath.Glob(filepath.Join(soundDir, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			info, err := os.Lstat(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue // unplugged meanwhile
			}
			if err != nil {
				return nil, err
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode()&fs.ModeCharDevice != 0 {
				devices = append(devices, Device{Name: info.Name(), Number: stat.Rdev})
			}
		}
	}
	return devices, nil
}

// mountSound puts a folder with these devices alone in the place of /dev/snd,
// for u. A machine without the folder has no sound card to hide: one that is
// plugged in later is not u's to open.
func mountSound(u privs.User, devices []Device) error {
	if _, err := os.Lstat(soundDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := mount("tmpfs", soundDir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,size=64k"); err != nil {
		return err
	}
	for _, d := range devices {
		path := filepath.Join(soundDir, filepath.Base(d.Name))
		if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(d.Number)); err != nil {
			return fmt.Errorf("mknod %s: %w", path, err)
		}
		if err := os.Chown(path, u.UID, u.GID); err != nil {
			return err
		}
	}
	return nil
}
