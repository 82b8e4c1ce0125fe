// Package folder checks who can change what is in a folder, before we trust or make something
// there: a folder's owner can replace whatever lies in it, and so can anyone where a folder that
// all may write to lacks the sticky bit.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Private says why path is not a folder of one user's alone, mode 0700. A link is none.
// fs.ErrNotExist is in the error's chain where nothing is there.
func Private(path string, uid int) error {
	info, owner, err := look(path)
	switch {
	case err != nil:
		return err
	case owner != uid:
		return fmt.Errorf("it belongs to the user number %d", owner)
	case info.Mode().Perm() != 0o700:
		return fmt.Errorf("mode %04o, not 0700", info.Mode().Perm())
	}
	return nil
}

// Shared says why path is not a folder in which each user's files are safe from the others':
// root's and, where others may write, sticky. A link is none. Who could replace the folder
// itself is not looked at; that of "/tmp/x" takes a check of "/tmp" too.
func Shared(path string) error {
	info, owner, err := look(path)
	switch {
	case err != nil:
		return err
	case owner != 0:
		return fmt.Errorf("it belongs to the user number %d, not to root", owner)
	case writable(info) && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("mode %04o lets others replace what is in it: the sticky bit is missing", info.Mode().Perm())
	}
	return nil
}

// Owned says why what is in a folder can be changed by others than one user and root. A link
// is none.
func Owned(path string, uid int) error {
	info, owner, err := look(path)
	switch {
	case err != nil:
		return err
	case owner != uid && owner != 0:
		return fmt.Errorf("it belongs to the user number %d", owner)
	case writable(info):
		return fmt.Errorf("mode %04o lets others change what is in it", info.Mode().Perm())
	}
	return nil
}

func writable(info fs.FileInfo) bool { return info.Mode()&0o022 != 0 }

func look(path string) (info fs.FileInfo, owner int, err error) {
	info, err = os.Lstat(path)
	if err != nil {
		return nil, 0, errors.Unwrap(err) // the caller names the path
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return nil, 0, unix.ENOTDIR
	}
	return info, int(stat.Uid), nil
}
