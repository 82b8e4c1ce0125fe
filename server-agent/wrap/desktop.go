package wrap

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"goldm/server-agent/menu"
	"goldm/server-agent/sessions"
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

// loginScript sources the file $1 and runs the rest of its arguments, whatever
// the file does: exit, fail under set -e, be no shell script at all. The
// arguments pass through load, so that the file's own `set --` does not change them.
const loginScript = `file=$1; shift
trap 'exec "$@"' EXIT
load() { . "$file"; }
if [ -r "$file" ]; then load "$@"; fi
trap - EXIT
exec "$@"`

// prepareScript gives the session a D-Bus of its own at the path $1, tells the user's
// service manager about the session, and runs the rest of its arguments. What other
// sessions of the user have stays theirs: the manager is one for all, and has the
// display of the last one that began, as with Debian's Xsession.
const prepareScript = `bus=$1; shift
if [ -n "$bus" ] && command -v dbus-daemon >/dev/null; then
	if dbus-daemon --session --fork --nopidfile --address="unix:path=$bus"; then
		DBUS_SESSION_BUS_ADDRESS=unix:path=$bus; export DBUS_SESSION_BUS_ADDRESS
	else
		echo "the session has no D-Bus of its own" >&2
	fi
fi
if [ -S "${XDG_RUNTIME_DIR-}/systemd/private" ] && command -v systemctl >/dev/null; then
	timeout 5 systemctl --user import-environment ` + managed + ` ||
		echo "systemd's services of the user do not know this session" >&2
fi
exec "$@"`

// managed are the variables that the user's service manager is told.
const managed = `DISPLAY XAUTHORITY DESKTOP_SESSION XDG_CURRENT_DESKTOP XDG_SESSION_DESKTOP XDG_SESSION_TYPE ` +
	`PULSE_SERVER PULSE_COOKIE PULSE_CLIENTCONFIG`

// place is where a session runs.
type place struct {
	id     string
	folder sessions.Folder
	env    []string
	menu   *menu.Menu
}

// start starts the desktop in a session (setsid(2)) of its own, so that a
// script's `kill 0` does not reach us, and returns its process id, for brood.reap
// to wait for.
func (d Desktop) start(p place, output *os.File, log *slog.Logger) (pid int, err error) {
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
	process, err := os.StartProcess("/bin/sh", slices.Concat(loginArgv(d.home()), p.menu.Argv(), p.prepareArgv(), command), &os.ProcAttr{
		Dir:   d.home(),
		Env:   d.environment(p, chosen),
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

// command returns the session script with its argument.
func (d Desktop) command(chosen xsessions.Session) ([]string, error) {
	script := cmp.Or(d.XSession, xsessions.Script("/"))
	switch {
	case script == "" && len(chosen.Exec) > 0:
		return chosen.Exec, nil
	case script == "":
		manager, err := exec.LookPath("x-session-manager")
		if err != nil {
			return nil, errors.New("this server has no Xsession script and no default desktop")
		}
		return []string{manager}, nil
	case !xsessions.IsExecutable(script):
		return nil, fmt.Errorf("session script %s is not there or not executable", script)
	case len(chosen.Exec) == 0:
		return []string{script}, nil
	}
	return []string{script, commandLine(chosen.Exec)}, nil
}

// prepareArgv returns the beginning of an argument list whose end runs after
// prepareScript.
func (p place) prepareArgv() []string {
	bus := ""
	if p.folder.Path != "" {
		bus = filepath.Join(p.folder.Path, "bus")
	}
	return []string{"/bin/sh", "-c", prepareScript, "sh", bus}
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
func (d Desktop) environment(p place, chosen xsessions.Session) []string {
	set := []string{sessions.IDVariable + "=" + p.id}
	if chosen.ID != "" {
		set = append(set, "DESKTOP_SESSION="+chosen.ID, "XDG_SESSION_DESKTOP="+chosen.ID)
	}
	if len(chosen.Names) > 0 {
		set = append(set, "XDG_CURRENT_DESKTOP="+strings.Join(chosen.Names, ":"))
	}
	if d.Lang != "" {
		set = append(set, "LANG="+d.Lang)
	}
	return with(without(p.env, "DESKTOP_SESSION", "XDG_SESSION_DESKTOP", "XDG_CURRENT_DESKTOP",
		"DBUS_SESSION_BUS_ADDRESS", sessions.BeganVariable), set...)
}

// with returns an environment with variables set.
func with(env []string, set ...string) []string {
	var names []string
	for _, entry := range set {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return append(without(env, names...), set...)
}

// without returns a copy of an environment without some variables.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}

func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func (d Desktop) lookup(name string) string { return lookup(d.Env, name) }

func (d Desktop) home() string { return cmp.Or(d.lookup("HOME"), "/") }
