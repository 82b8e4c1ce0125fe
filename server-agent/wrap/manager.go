package wrap

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// forgetLimit bounds what the user's service manager may take to forget a session.
const forgetLimit = 5 * time.Second

// forgetScript takes the session's variables from the user's service manager, unless
// they are another session's by now.
const forgetScript = `systemctl --user show-environment | grep -qxF "DISPLAY=$DISPLAY" &&
	systemctl --user unset-environment ` + managed

// forget has the user's service manager forget the session whose environment is
// given, if there is such a manager. Nothing may be left below us.
func (b *brood) forget(env []string) {
	info, err := os.Stat(filepath.Join(lookup(env, "XDG_RUNTIME_DIR"), "systemd", "private"))
	if err != nil || info.Mode().Type() != fs.ModeSocket || lookup(env, "DISPLAY") == "" {
		return
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.log.Warn("the user's service manager keeps the session's display", "err", err)
		return
	}
	defer null.Close()
	process, err := os.StartProcess("/bin/sh", []string{"sh", "-c", forgetScript}, &os.ProcAttr{
		Dir:   "/",
		Env:   env,
		Files: []*os.File{null, null, null},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		b.log.Warn("the user's service manager keeps the session's display", "err", err)
		return
	}
	process.Release()
	if !b.passes(forgetLimit, forgetLimit, func() {}) {
		b.log.Warn("the user's service manager does not answer")
		b.end()
	}
}
