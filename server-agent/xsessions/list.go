package xsessions

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxSessions = 100 // that are offered; more is no menu
	maxID       = 100 // bytes
	maxName     = 200 // bytes
	maxExec     = 1 << 10
)

// List returns the sessions to offer, by id: those of folders, the most important
// first. Each file or folder that is passed over for a mistake, or cannot be read, is a
// problem that names it; what is hidden, or not installed by its TryExec, is none.
func List(dirs []string) (sessions []Session, problems []error) {
	found, problems := ids(dirs)
	for _, id := range found {
		s, path, err := first(dirs, id)
		if err == nil {
			err = s.offerable()
		}
		switch {
		case errors.Is(err, errHidden):
			continue
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: %w", shown(path), err))
			continue
		case len(sessions) == maxSessions:
			problems = append(problems, fmt.Errorf("%s: more than %d sessions", shown(path), maxSessions))
			return sessions, problems
		}
		if err := badName(s.Name); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w; the session goes by %s", shown(path), err, s.ID))
			s.Name = s.ID
		}
		sessions = append(sessions, *s)
	}
	return sessions, problems
}

// first reads the session of the first folder that has it.
func first(dirs []string, id string) (s *Session, path string, err error) {
	for _, dir := range dirs {
		path = filepath.Join(dir, id+".desktop")
		if s, err = readFile(path, id); !errors.Is(err, fs.ErrNotExist) {
			return s, path, err
		}
	}
	return nil, path, err // it is gone since it was listed, or a link to nowhere
}

// offerable returns errHidden for a session that is not to be offered, and says what
// is wrong with one that cannot be.
func (s *Session) offerable() error {
	if s.NoDisplay {
		return errHidden
	}
	if s.Try != "" {
		if _, err := exec.LookPath(s.Try); err != nil {
			return errHidden
		}
	}
	if len(s.ID) > maxID || strings.ContainsFunc(s.ID, notInID) {
		return errors.New("a session's file has a name of letters, digits, blanks and ._+-=@, only: clients can ask for no other")
	}
	command := strings.Join(s.Exec, " ")
	if len(command) > maxExec || !utf8.ValidString(command) || strings.ContainsFunc(command, unicode.IsControl) {
		return fmt.Errorf("Exec=%.60q is too long or has control characters", command)
	}
	return nil
}

// notInID tells which characters a client does not let through in the name of a
// session; quotes, slashes and line breaks are among them.
func notInID(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ._+-=@,", r))
}

// badName says why a name is not fit for a menu. An apostrophe is: French and Italian
// have them everywhere.
func badName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\"`") ||
		strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("Name=%.60q is empty, too long, or has slashes, quotes or control characters", name)
	}
	return nil
}

// shown is a path for a message, quoted where it would break the line.
func shown(path string) string {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) || r == '"' }) {
		return fmt.Sprintf("%q", path)
	}
	return path
}
