package login

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUser bounds a user name in bytes; utmp(5) and PAM take less.
const maxUser = 255

// badUser returns a sentence for a name that no server needs to hear. What is
// left is passed on as typed, blanks and leading dashes included: it reaches
// the server in a message of its own, not a command line.
func badUser(name string) string {
	switch {
	case name == "":
		return "Type a user name."
	case len(name) > maxUser:
		return "That user name is too long."
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "A user name has no control characters."
	}
	return ""
}

// session returns the session that a greeter's command names, an id or the
// words of an Exec. Greeters wrap it, such as in
// "startx /usr/bin/env XDG_SESSION_TYPE=x11 startxfce4"; the wrapping is for
// the machine that the greeter runs on, where no session does. It reports false
// for what cannot be a name: it comes from whoever typed it.
func session(cmd []string) (string, bool) {
	words := strings.Fields(strings.Join(cmd, " "))
	for len(words) > 0 && wrapping(words[0]) {
		words = words[1:]
	}
	name := strings.Join(words, " ")
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune(" ._+-/=:@,", r)
	}
	if len(name) > maxUser || strings.HasPrefix(name, "-") || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return "", false
	}
	return name, true
}

func wrapping(word string) bool {
	switch word {
	case "startx", "/usr/bin/startx", "env", "/usr/bin/env":
		return true
	}
	name, _, assigns := strings.Cut(word, "=")
	return assigns && !strings.HasPrefix(word, "-") && !strings.Contains(name, "/")
}

// language returns LANG of a greeter's environment. Of the rest nothing counts
// yet that the session's own definition does not say better.
func language(env []string) string {
	for _, entry := range env {
		value, ok := strings.CutPrefix(entry, "LANG=")
		if ok && len(value) <= 64 && !strings.ContainsFunc(value, func(r rune) bool {
			return !strings.ContainsRune("._@-", r) && (r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r))
		}) {
			return value
		}
	}
	return ""
}
