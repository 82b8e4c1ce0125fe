package info

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"goldm/internal/infowire"
)

// keyboardFile is keyboard(5)'s, as Debian has it.
const keyboardFile = "etc/default/keyboard"

// keyboard is nil where the server does not say what people type on.
func (s *Source) keyboard(note func(error)) *infowire.Keyboard {
	text, err := s.read(keyboardFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		note(err)
		return nil
	}
	set := assignments(text)
	var k infowire.Keyboard
	for name, to := range map[string]*string{
		"XKBMODEL": &k.Model, "XKBLAYOUT": &k.Layout, "XKBVARIANT": &k.Variant, "XKBOPTIONS": &k.Options,
	} {
		if !keyboardName(set[name]) {
			note(fmt.Errorf("/%s: %s=%.40q is no name of a keyboard", keyboardFile, name, set[name]))
			continue
		}
		*to = set[name]
	}
	if k == (infowire.Keyboard{}) {
		return nil
	}
	return &k
}

// keyboardName tells whether a value can be a list of XKB's names, such as "us,de",
// "grp:alt_shift_toggle,terminate:ctrl_alt_bksp" or "de(nodeadkeys)".
func keyboardName(value string) bool {
	return len(value) <= 200 && !strings.ContainsFunc(value, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_,:()+-.", r))
	})
}

// assignments reads the lines NAME=value of a file of /etc/default. The value may stand
// in quotes; what a shell would do beyond that is not done.
func assignments(text string) map[string]string {
	set := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		set[strings.TrimPrefix(name, "export ")] = value
	}
	return set
}
