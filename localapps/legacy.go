package localapps

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jezek/xgb/xproto"
)

// LTSP 5's properties on the root window. A command runs in the foreground there
// where the second is "true".
const (
	commandName      = "LTSP_COMMAND"
	commandWaitName  = "LTSP_COMMAND_WAIT"
	logoutActionName = "LTSP_LOGOUT_ACTION"
)

// The values of LTSP_LOGOUT_ACTION.
const (
	Halt   = "HALT"
	Reboot = "REBOOT"
)

// LogoutAction returns what the session asks for after its end: Halt, Reboot or
// nothing.
func (m *Mailbox) LogoutAction() string {
	if !m.legacy {
		return ""
	}
	value, err := read(m.conn, m.conn.Root, m.logoutAction)
	if err != nil || value.Format != 8 {
		return ""
	}
	switch action := string(trimEnd(value.Value)); action {
	case Halt, Reboot:
		return action
	}
	return ""
}

// trimEnd takes off what LXDE's logout window sends with the text: a NUL.
func trimEnd(value []byte) []byte { return bytes.TrimRight(value, "\x00") }

// fetchCommand takes a command from LTSP_COMMAND, if there is one.
func (m *Mailbox) fetchCommand() error {
	var line []byte
	long := false
	found, err := take(m.conn, m.conn.Root, m.command, func() { line, long = nil, false }, func(piece []byte) {
		if long = long || len(line)+len(piece) > MaxArgs; !long {
			line = append(line, piece...)
		}
	})
	if err != nil || !found.exists {
		return err
	}
	wait := m.takeFlag(m.commandWait)
	args, err := m.words(found, line, long)
	switch {
	case err != nil:
		m.log.Warn("LTSP_COMMAND not run", "err", err)
	case len(args) > 0:
		m.enqueue(queued{record: runRecord{Args: args, Wait: wait}, legacy: true})
	}
	return nil
}

// words makes an argument list of what stood in LTSP_COMMAND.
func (m *Mailbox) words(found property, line []byte, long bool) ([]string, error) {
	switch {
	case long:
		return nil, fmt.Errorf("longer than %d bytes", MaxArgs)
	case found.format != 8 || found.kind != xproto.AtomString && found.kind != m.utf8Text:
		return nil, errors.New("neither STRING nor UTF8_STRING")
	}
	text := string(trimEnd(line))
	if found.kind == xproto.AtomString {
		text = fromString(text)
	}
	args, err := SplitWords(text)
	if err != nil || len(args) == 0 {
		return nil, err
	}
	r := Request{Args: args}
	return args, r.check()
}

// fromString reads a STRING, which is Latin-1 (ICCCM, 2.7.1). But what
// `xprop -f LTSP_COMMAND 8s` puts there are the bytes of its argument, as LTSP 5's own
// scripts do, and today these are UTF-8; Latin-1 text is hardly ever valid as that.
func fromString(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for i := range len(s) {
		out.WriteRune(rune(s[i]))
	}
	return out.String()
}

// takeFlag takes LTSP_COMMAND_WAIT.
func (m *Mailbox) takeFlag(name xproto.Atom) bool {
	const yes = "true"
	var value []byte
	_, err := take(m.conn, m.conn.Root, name, func() { value = nil }, func(piece []byte) {
		if len(value) <= len(yes) {
			value = append(value, piece[:min(len(piece), 2*len(yes))]...)
		}
	})
	return err == nil && string(trimEnd(value)) == yes
}
