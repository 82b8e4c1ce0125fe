package localapps

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

var errNoWords = errors.New("expected a program and its arguments, without a shell's special characters")

// SplitWords splits a command line into words as a shell would (POSIX, Shell Command
// Language, 2.2 Quoting), and does nothing else that a shell does: what asks for
// more, such as ; & | > $x $(x) `x`, is an error. An empty line has no words.
func SplitWords(line string) ([]string, error) {
	if !utf8.ValidString(line) || strings.ContainsFunc(line, isOdd) {
		return nil, errors.New("expected text without control characters")
	}
	var words []string
	before := uint(1) // the line that the word before ended in
	parser := syntax.NewParser(syntax.Variant(syntax.LangPOSIX))
	for word, err := range parser.WordsSeq(strings.NewReader(strings.Trim(line, " \t\n"))) {
		switch {
		case err != nil && syntax.IsIncomplete(err):
			return nil, errors.New("a quote is not closed")
		case err != nil:
			return nil, errNoWords
		case word.Pos().Line() != before:
			return nil, errors.New("expected one line: a shell would run two commands")
		}
		before = word.End().Line()
		var text strings.Builder
		if err := plain(&text, word.Parts, false); err != nil {
			return nil, err
		}
		words = append(words, text.String())
	}
	return words, nil
}

// isOdd reports whether r has no place in a command line; shells differ about them.
func isOdd(r rune) bool { return r != '\t' && r != '\n' && unicode.IsControl(r) }

// plain writes the text of a word's parts, quotes and escapes taken off.
func plain(text *strings.Builder, parts []syntax.WordPart, quoted bool) error {
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			unescape(text, part.Value, quoted)
		case *syntax.SglQuoted:
			if part.Dollar {
				return errNoWords
			}
			text.WriteString(part.Value)
		case *syntax.DblQuoted:
			if part.Dollar {
				return errNoWords
			}
			if err := plain(text, part.Parts, true); err != nil {
				return err
			}
		default:
			return errNoWords
		}
	}
	return nil
}

// unescape takes backslashes off: between double quotes they stand for themselves
// before most characters (2.2.3).
func unescape(text *strings.Builder, value string, quoted bool) {
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			next := value[i+1]
			switch {
			case next == '\n':
				i++
				continue
			case !quoted || strings.IndexByte("$`\"\\", next) >= 0:
				i++
			}
		}
		text.WriteByte(value[i])
	}
}
