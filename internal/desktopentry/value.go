package desktopentry

import (
	"errors"
	"strings"
)

// Unescape resolves the escapes of a value of type string (chapter 4, "Possible value
// types"). Those of Exec's own quoting come after.
func Unescape(value string) string { return unescaper.Replace(value) }

// Escape is the opposite of Unescape.
func Escape(value string) string {
	value = escaper.Replace(value)
	if strings.HasPrefix(value, " ") {
		value = `\s` + value[1:]
	}
	return value
}

var (
	unescaper = strings.NewReplacer(`\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`)
	escaper   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
)

// splitList splits a list at its semicolons, of which a backslash makes a
// character like others.
func splitList(value string) []string {
	var items []string
	var item strings.Builder
	flush := func() {
		if item.Len() > 0 {
			items = append(items, Unescape(item.String()))
		}
		item.Reset()
	}
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '\\' && i+1 < len(value) && value[i+1] == ';':
			i++
			item.WriteByte(';')
		case value[i] == '\\' && i+1 < len(value):
			item.WriteString(value[i : i+2])
			i++
		case value[i] == ';':
			flush()
		default:
			item.WriteByte(value[i])
		}
	}
	flush()
	return items
}

// reserved are the characters for which an argument of Exec has to be quoted
// (chapter 7, "The Exec key").
const reserved = " \t\n\"'\\><~|&;$*?#()`"

// SplitExec splits a value of Exec, its escapes resolved, into arguments.
// Field codes stay in them, and so does the percent sign's "%%". As GLib does, it
// reads the quotes as a shell would, which is more than the specification has.
func SplitExec(value string) ([]string, error) {
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
		words, value = append(words, word), rest
	}
}

// nextWord cuts the first argument off value.
func nextWord(value string) (word, rest string, err error) {
	var b strings.Builder
	var quote byte // the one that is open, or 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(" \t\n", c) >= 0:
			return b.String(), value[i:], nil
		case c == '\\' && quote != '\'':
			i++
			if i == len(value) {
				return "", "", errors.New("command ends in a backslash")
			}
			if quote == '"' && strings.IndexByte("\"`$\\", value[i]) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(value[i])
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errors.New("command has a quote without an end")
	}
	return b.String(), "", nil
}

// JoinExec is the opposite of SplitExec. Field codes stand outside of quotes,
// where the specification wants them.
func JoinExec(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quoteWord(word)
	}
	return strings.Join(quoted, " ")
}

func quoteWord(word string) string {
	if word == "" {
		return `""`
	}
	var b strings.Builder
	literal := 0 // where the text begins that is not written yet
	for i := 0; i+1 < len(word); i++ {
		if word[i] != '%' {
			continue
		}
		if isAlphanumeric(rune(word[i+1])) {
			b.WriteString(quoteText(word[literal:i]))
			b.WriteString(word[i : i+2])
			literal = i + 2
		}
		i++
	}
	b.WriteString(quoteText(word[literal:]))
	return b.String()
}

func quoteText(text string) string {
	if !strings.ContainsAny(text, reserved) {
		return text
	}
	return `"` + strings.NewReplacer("\\", "\\\\", `"`, `\"`, "`", "\\`", "$", `\$`).Replace(text) + `"`
}
