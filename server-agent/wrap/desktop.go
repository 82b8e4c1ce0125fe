package wrap

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"goldm/server-agent/xsessions"
)

// Desktop says what to start.
type Desktop struct {
	// Session is the id of a session, or a command; empty for the server's
	// default. What is not there becomes the default too, with a line in the log.
	Session string

	XSession string   // the session script; empty for the distribution's
	Lang     string   // for LANG; empty for that of Env
	Env      []string // what the SSH server gave us
}

// xsessionScripts are where distributions keep the script that prepares an X
// session and runs its argument.
var xsessionScripts = []string{
	"/etc/X11/Xsession",
	"/etc/X11/xdm/Xsession",
	"/etc/X11/xinit/Xsession",
	"/etc/gdm3/Xsession",
	"/etc/gdm/Xsession",
	"/etc/lightdm/Xsession",
}

// loginScript sources the file $1 and runs the rest of its arguments, whatever
// the file does: exit, fail under set -e, be no shell script at all. The
// arguments pass through load, so that the file's own `set --` does not change them.
const loginScript = `file=$1; shift
trap 'exec "$@"' EXIT
load() { . "$file"; }
if [ -r "$file" ]; then load "$@"; fi
trap - EXIT
exec "$@"`

// start starts the desktop in a session (setsid(2)) of its own, so that a
// script's `kill 0` does not reach us, and returns its process id, for session.reap
// to wait for.
func (d Desktop) start(output *os.File, log *slog.Logger) (pid int, err error) {
	chosen := d.choose(log)
	command, err := d.command(chosen)
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	process, err := os.StartProcess("/bin/sh", append(loginArgv(d.home()), command...), &os.ProcAttr{
		Dir:   d.home(),
		Env:   d.environment(chosen),
		Files: []*os.File{null, output, output},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start the desktop: %w", err)
	}
	log.Info("desktop started", "session", chosen.ID, "command", strings.Join(command, " "))
	pid = process.Pid // which Release forgets
	return pid, process.Release()
}

// choose finds the session. The zero value is the server's default.
func (d Desktop) choose(log *slog.Logger) xsessions.Session {
	if d.Session == "" {
		return xsessions.Session{}
	}
	s, err := xsessions.Find(xsessions.Dirs(d.lookup("XDG_DATA_DIRS")), d.Session)
	if err == nil {
		return *s
	}
	words := strings.Fields(d.Session)
	if len(words) > 0 && !strings.Contains(words[0], "/") {
		if _, lookErr := exec.LookPath(words[0]); lookErr == nil {
			return xsessions.Session{ID: words[0], Exec: words}
		}
	}
	log.Warn("no such session: starting the default", "session", d.Session, "err", err)
	return xsessions.Session{}
}

// command returns what the login's files are followed by: a D-Bus session bus of
// its own where there is dbus-run-session, and the session script.
func (d Desktop) command(chosen xsessions.Session) ([]string, error) {
	command := ownBus()
	script := cmp.Or(d.XSession, firstExecutable(xsessionScripts))
	switch {
	case script == "" && len(chosen.Exec) > 0:
		return append(command, chosen.Exec...), nil
	case script == "":
		manager, err := exec.LookPath("x-session-manager")
		if err != nil {
			return nil, errors.New("this server has no Xsession script and no default desktop")
		}
		return append(command, manager), nil
	case !isExecutable(script):
		return nil, fmt.Errorf("session script %s is not there or not executable", script)
	case len(chosen.Exec) == 0:
		return append(command, script), nil
	}
	return append(command, script, commandLine(chosen.Exec)), nil
}

// ownBus returns the beginning of an argument list whose end runs with a session
// bus of its own; empty where D-Bus is not installed, in whole.
func ownBus() []string {
	run, err := exec.LookPath("dbus-run-session")
	_, noDaemon := exec.LookPath("dbus-daemon")
	if err != nil || noDaemon != nil {
		return nil
	}
	return []string{run, "--"}
}

// loginArgv returns the beginning of an argument list whose end runs after the
// files of a login shell.
func loginArgv(home string) []string {
	return []string{
		"sh", "-c", loginScript, "sh", "/etc/profile",
		"/bin/sh", "-c", loginScript, "sh", filepath.Join(home, ".profile"),
	}
}

// commandLine joins a command into the one argument that session scripts take.
// Debian's splits it at blanks and knows no quotes, Red Hat's gives it to a shell:
// words are quoted only where they need it, which then works with the latter.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n'\"\\$`&;|<>()*?[]{}#~!") {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// environment returns the desktop's environment: ours, with the session's name
// in it and no D-Bus address, which would be another session's.
func (d Desktop) environment(chosen xsessions.Session) []string {
	set := []string{"LTSP_SESSION_ID=" + rand.Text()}
	if chosen.ID != "" {
		set = append(set, "DESKTOP_SESSION="+chosen.ID, "XDG_SESSION_DESKTOP="+chosen.ID)
	}
	if len(chosen.Names) > 0 {
		set = append(set, "XDG_CURRENT_DESKTOP="+strings.Join(chosen.Names, ":"))
	}
	drop := []string{"LTSP_SESSION_ID", "DESKTOP_SESSION", "XDG_SESSION_DESKTOP", "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS"}
	if d.Lang != "" {
		drop, set = append(drop, "LANG"), append(set, "LANG="+d.Lang)
	}
	kept := slices.DeleteFunc(slices.Clone(d.Env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(drop, name)
	})
	return append(kept, set...)
}

func (d Desktop) lookup(name string) string {
	for _, entry := range d.Env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func (d Desktop) home() string { return cmp.Or(d.lookup("HOME"), "/") }

func firstExecutable(paths []string) string {
	for _, path := range paths {
		if isExecutable(path) {
			return path
		}
	}
	return ""
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
