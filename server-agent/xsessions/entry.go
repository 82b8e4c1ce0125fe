package xsessions

import (
	"errors"
	"io"
	"strings"

	"goldm/internal/whole"
)

// maxFile bounds what is read of a .desktop file, in bytes. Those of sessions
// have a few kilobytes, most of them translated names.
const maxFile = 64 << 10

// Session is one desktop.
type Session struct {
	ID    string   // the file's name without .desktop
	Name  string   // for a person, untranslated
	Exec  []string // the command, field codes left out
	Try   string   // TryExec: a program whose absence hides the session; or empty
	Names []string // DesktopNames, for XDG_CURRENT_DESKTOP

	Translated map[string]string // Name by language, such as de or pt_BR; nil for none
	NoDisplay  bool              // can be started, but is not to be offered
}

// errHidden is the error for an entry that stands for "no such session".
var errHidden = errors.New("hidden")

// parse reads the file of the session id.
func parse(id string, r io.Reader) (*Session, error) {
	text, err := whole.Read(r, maxFile)
	if err != nil {
		return nil, err
	}
	s := &Session{ID: id}
	group := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			group = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if group != "[Desktop Entry]" || !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.set(strings.TrimSpace(key), unescape(strings.TrimSpace(value))); err != nil {
			return nil, err
		}
	}
	if len(s.Exec) == 0 {
		return nil, errors.New("no Exec")
	}
	return s, nil
}

func (s *Session) set(key, value string) (err error) {
	switch key {
	case "Name":
		s.Name = value
	case "Exec":
		s.Exec, err = splitExec(value)
	case "TryExec":
		s.Try = value
	case "DesktopNames":
		s.Names = strings.FieldsFunc(value, func(r rune) bool { return r == ';' })
	case "Hidden":
		if value == "true" {
			return errHidden
		}
	case "NoDisplay":
		s.NoDisplay = value == "true"
	default:
		s.translate(key, value)
	}
	return err
}

// maxLanguage bounds the name of a language, such as sr@latin or zh_Hans_CN, in bytes.
const maxLanguage = 32

// translate takes keys such as Name[de] (specification, chapter 5). The codeset in some
// old files' names of languages says nothing any more.
func (s *Session) translate(key, value string) {
	language, ok := strings.CutPrefix(key, "Name[")
	language, closed := strings.CutSuffix(language, "]")
	if !ok || !closed || len(language) > maxLanguage || badName(value) != nil {
		return
	}
	if before, after, found := strings.Cut(language, "."); found {
		_, modifier, _ := strings.Cut(after, "@")
		language = strings.TrimSuffix(before+"@"+modifier, "@")
	}
	if language == "" || strings.ContainsFunc(language, notInLanguage) {
		return
	}
	if s.Translated == nil {
		s.Translated = make(map[string]string)
	}
	s.Translated[language] = value
}

func notInLanguage(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@-", r))
}

// unescape resolves the escapes of a value of type string (specification,
// chapter 4, "Possible value types"). Those of Exec's own quoting come after.
func unescape(value string) string {
	return strings.NewReplacer(`\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`).Replace(value)
}

// splitExec splits an Exec value into arguments and leaves the field codes out:
// a session gets no files (specification, chapter 7, "The Exec key").
func splitExec(value string) ([]string, error) {
	var words []string
	for {
		value = strings.TrimLeft(value, " \t\n")
		if value == "" {
			return words, nil
		}
		word, rest, err := nextWord(value)
		if err != nil {
			return nil, err
		}
		if word, ok := dropCodes(word); ok {
			words = append(words, word)
		}
		value = rest
	}
}

// nextWord cuts the first argument off value. Quoted parts may stand anywhere in
// it, as GLib allows, though the specification wants the argument quoted whole.
func nextWord(value string) (word, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
			if i == len(value) {
				return "", "", errors.New("command ends in a backslash")
			}
			b.WriteByte(value[i])
		case !quoted && strings.IndexByte(" \t\n", c) >= 0:
			return b.String(), value[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.New("command has a quote without an end")
	}
	return b.String(), "", nil
}

// dropCodes removes the field codes from a word, or the word that was nothing else.
func dropCodes(word string) (string, bool) {
	if !strings.Contains(word, "%") {
		return word, true
	}
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '%' {
			b.WriteByte(word[i])
			continue
		}
		if i++; i < len(word) && word[i] == '%' {
			b.WriteByte('%')
		}
	}
	return b.String(), b.Len() > 0
}
