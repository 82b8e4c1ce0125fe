package ldm

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"goldm/internal/folder"
	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/ldm/fence"
)

// fence returns the words that make the command after them run as u, which may be root.
func (s *Seat) fence(u privs.User) []string {
	return s.enclose(fence.Plan{Duty: fence.Plain, User: u, Keep: xCapabilities})
}

// enclose returns the words that make the command after them run by a plan.
func (s *Seat) enclose(p fence.Plan) []string {
	p.Parent = os.Getpid()
	return slices.Concat(s.Fence, p.Words())
}

// start starts a command by a plan, in namespaces of its own. What the kernel refuses it is logged.
func (s *Seat) start(p fence.Plan, c supervise.Command) (*supervise.Process, error) {
	p.Own = true
	c.Namespaces |= fence.Namespaces
	if p.Duty == fence.Plain {
		c.Args = slices.Concat(s.enclose(p), c.Args)
		return s.children.Start(c)
	}
	refused, theirs, err := newRefusals(cmp.Or(c.Log, s.Log).With("process", c.Name))
	if err != nil {
		for _, f := range c.Files {
			f.Close()
		}
		return nil, err
	}
	c.Files = append(c.Files, theirs)
	p.Report = 2 + len(c.Files)
	c.Args = slices.Concat(s.enclose(p), c.Args)
	process, err := s.children.Start(c)
	if err != nil {
		refused.close()
		return nil, err
	}
	s.tasks.Go(func() {
		<-process.Done()
		refused.close()
	})
	return process, nil
}

// xUser is whom the X server runs as. Xorg wants root's console and devices
// unless somebody else opens them for it; the X servers that show themselves in
// a window or nowhere want nothing.
func (s *Seat) xUser() privs.User {
	switch base := filepath.Base(s.Settings.XServer[0]); {
	case s.Settings.XRoot, base == "Xorg", base == "X":
		return privs.User{}
	}
	return s.Users.X
}

// makeDirs makes the folders for sockets and cookies. Whatever an earlier run
// left there is removed: root alone could have made it.
func (s *Seat) makeDirs() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o711); err != nil {
		return err
	}
	// The umask, and a folder that was there already.
	for _, dir := range []string{s.RunDir, s.dir} {
		if err := folder.Owned(dir, 0); err != nil { // a link, or another user's
			return fmt.Errorf("%s is not a folder of root's alone: %w; remove it", dir, err)
		}
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	return makeSocketDir(displayDir)
}

// displayDir is where X servers have their sockets (Xserver(1)).
const displayDir = "/tmp/.X11-unix"

// makeSocketDir makes the folder that X servers put their sockets in. One that
// is not root's, or in a folder that is not, would let another user take a display's place.
func makeSocketDir(path string) error {
	if err := folder.Shared(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s is not safe for the X server's sockets: %w", filepath.Dir(path), err)
	}
	if err := os.Mkdir(path, 0o1777); err != nil && !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || stat.Uid != 0 {
		return fmt.Errorf("%s is not a folder of root's: remove it", path)
	}
	return os.Chmod(path, 0o777|os.ModeSticky)
}

// makeHome makes an empty folder that u owns, in place of an earlier one.
func makeHome(path string, u privs.User) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Chown(path, u.UID, u.GID)
}
