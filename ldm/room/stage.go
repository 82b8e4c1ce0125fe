package room

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What the stage's folder holds.
const (
	devFolder   = "dev"   // the room's /dev
	homesFolder = "homes" // numbered: what is mounted for each folder of homes
	extraFolder = "extra" // numbered: for each further folder
	emptyFile   = "empty" // that only root reads
)

// point returns where something is mounted in the stage to appear at a path of the room.
func (p plan) point(path string) (string, bool) {
	for i, home := range p.Homes {
		if below, ok := strings.CutPrefix(path, home+"/"); ok {
			return filepath.Join(p.home(i), below), true
		}
	}
	for i, extra := range p.Extra {
		if path == extra {
			return p.extra(i), true
		}
	}
	return "", false
}

func (p *plan) home(i int) string  { return filepath.Join(p.Stage, homesFolder, strconv.Itoa(i)) }
func (p *plan) extra(i int) string { return filepath.Join(p.Stage, extraFolder, strconv.Itoa(i)) }

// setStage makes the stage's folder and shares it: what is mounted below arrives
// in the copies of this namespace.
func (p *plan) setStage() error {
	// What the machine mounts later is seen here, and what it unmounts is not held.
	// Nothing goes the other way.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := os.Mkdir(p.Stage, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := mount("tmpfs", p.Stage, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0700,size=256k,nr_inodes=16k"); err != nil {
		return err
	}
	if err := mount("", p.Stage, "", unix.MS_SHARED, ""); err != nil {
		return err
	}
	if err := makeDev(filepath.Join(p.Stage, devFolder)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.Stage, emptyFile), nil, 0); err != nil {
		return err
	}
	for i := range p.Homes {
		if err := os.MkdirAll(p.home(i), 0o755); err != nil {
			return err
		}
	}
	for i, folder := range p.Extra {
		if err := p.setExtra(p.extra(i), folder); err != nil {
			return err
		}
	}
	return nil
}

// setExtra makes the point for a further folder. Until something is mounted there programs
// see what this machine has under the name.
func (p *plan) setExtra(point, folder string) error {
	if err := os.MkdirAll(point, 0o755); err != nil {
		return err
	}
	dir, err := OpenDir(folder)
	if err != nil {
		return nil // there is none, or a link is in the way: the room decides
	}
	defer unix.Close(dir)
	if err := mount(fmt.Sprintf("/proc/self/fd/%d", dir), point, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return mount("", point, "", unix.MS_SHARED, "")
}

// OpenDir opens a folder, O_PATH, by a path without symbolic links (openat2(2)). The
// descriptor is the caller's.
func OpenDir(path string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}
