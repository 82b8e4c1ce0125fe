package ldm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"goldm/internal/privs"
)

// fence returns the words that make the command after them run as u.
func (s *Seat) fence(u privs.User) []string {
	return append(s.Fence[:len(s.Fence):len(s.Fence)], strconv.Itoa(u.UID), strconv.Itoa(u.GID), strconv.Itoa(os.Getpid()))
}

// Fence is the other end of Config.Fence: it takes the words that were put
// after it (uid, gid, the daemon's pid, and the command) and becomes that
// command. It returns only with an error.
func Fence(args []string) error {
	if len(args) < 4 {
		return fmt.Errorf("fence: %d words", len(args))
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			return fmt.Errorf("fence: %w", err)
		}
		numbers[i] = n
	}
	program, err := exec.LookPath(args[3])
	if err != nil {
		return err
	}
	command := append([]string{program}, args[4:]...)
	return privs.Exec(privs.User{UID: numbers[0], GID: numbers[1]}, numbers[2], command)
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
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	return makeSocketDir(displayDir)
}

// displayDir is where X servers have their sockets (Xserver(1)).
const displayDir = "/tmp/.X11-unix"

// makeSocketDir makes the folder that X servers put their sockets in. One that
// is not root's would let its owner take a display's place.
func makeSocketDir(path string) error {
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
