package desktop

import (
	_ "embed"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"goldm/internal/failure"
)

// Settings describe a desktop session.
type Settings struct {
	Session  string            // a session's id or its Exec; empty for the server's default
	Language string            // the session's LANG; empty for the server's default
	XSession string            // path of the session script on the server; empty for the usual places
	Env      map[string]string // LTSP_CLIENT and its like
	Menu     bool              // an agent is to wait for the client's menu
}

// windowVariable brings the window of who runs programs on the client. What programs
// look for has the display's name before it, which is known only on the server.
const windowVariable = "LTSP_LOCALAPPS_WINDOW"

//go:embed session.sh
var sessionScript string

const (
	maxName  = 255  // bytes of a session's name or a path
	maxValue = 4096 // bytes of a variable
)

var (
	variable = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	locale   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`)
)

// CommandLine returns the command line that starts the desktop on the server.
func (s Settings) CommandLine() (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	return anyShell(s.script()), nil
}

// Setenv returns the variables to ask the SSH daemon for, before any shell
// runs: those that sshd's AcceptEnv usually names.
func (s Settings) Setenv() map[string]string {
	if s.Language == "" {
		return nil
	}
	return map[string]string{"LANG": s.Language}
}

// script is the script for /bin/sh, in one line.
func (s Settings) script() string {
	env := maps.Clone(s.Env)
	if env == nil {
		env = make(map[string]string)
	}
	env["XDG_SESSION_TYPE"] = "x11"
	if s.Language != "" {
		env["LANG"] = s.Language
	}
	var script strings.Builder
	script.WriteString("ldm_env() { export")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&script, " %s=%s", name, quote(env[name]))
	}
	if window := env[windowVariable]; window != "" {
		// A command of its own: it needs the DISPLAY that goes before.
		fmt.Fprintf(&script, `; export LTSP_LOCALAPPS="$DISPLAY "%s`, quote(window))
	}
	menu := ""
	if s.Menu {
		menu = "yes"
	}
	fmt.Fprintf(&script, "; }; ldm_name=%s; ldm_xsession=%s; ldm_menu=%s; ", quote(s.Session), quote(s.XSession), menu)
	script.WriteString(oneLine(sessionScript))
	return script.String()
}

// oneLine joins a script that is written for it; see session.sh.
func oneLine(script string) string {
	var kept []string
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, " ")
}

func (s Settings) check() error {
	if !isSession(s.Session) {
		return failure.New(fmt.Errorf("session %.255q", s.Session),
			"The chosen session has a name that no session can have. Choose another one.")
	}
	if s.Language != "" && !locale.MatchString(s.Language) {
		return failure.New(fmt.Errorf("language %.64q", s.Language),
			"The chosen language has a name that no language can have. Choose another one.")
	}
	if s.XSession != "" && (!isData(s.XSession, maxName) || !path.IsAbs(s.XSession)) {
		return fmt.Errorf("session script %.255q: not an absolute path", s.XSession)
	}
	for name, value := range s.Env {
		if !variable.MatchString(name) {
			return fmt.Errorf("environment: %.64q is no variable's name", name)
		}
		if !isData(value, maxValue) {
			return fmt.Errorf("environment: value of %s", name)
		}
	}
	return nil
}

// isSession reports whether a name may be a session's id or its Exec. Some session scripts
// give an Exec to a shell, so it has none of a shell's characters.
func isSession(name string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._+-/=:,@% ", r)
	}
	return isData(name, maxName) && !strings.HasPrefix(name, "-") && !strings.ContainsFunc(name, odd) &&
		strings.TrimSpace(name) == name
}

// isData reports whether a value is text of one line.
func isData(value string, limit int) bool {
	return len(value) <= limit && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}
