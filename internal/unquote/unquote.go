// Package unquote takes the shell quoting off the values of configuration files
// that administrators write as they write NAME=value in a shell. Values are data:
// quotes and escapes mean what they mean there, nothing is expanded or run.
package unquote

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Incomplete reports whether an error of Value means that a quote is still
// open, so that the value goes on in the next line.
func Incomplete(err error) bool { return syntax.IsIncomplete(err) }

// Value reads text as one assignment's value with the words of a shell
// (POSIX, Shell Command Language, 2.2 Quoting). Several bare words are one value
// with blanks in it, which LTSP 5 let pass. Errors say what was expected.
func Value(text string) (string, error) {
	var words []*syntax.Word
	var err error
	for word, fault := range syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).WordsSeq(strings.NewReader(text)) {
		if err = fault; err != nil {
			break
		}
		words = append(words, word)
	}
	switch {
	case err != nil && syntax.IsIncomplete(err):
		return "", err
	case err != nil:
		return "", errors.New("expected a value in quotes or without special characters")
	}
	values, err := expand.Fields(&expand.Config{NoUnset: true}, words...)
	if err != nil {
		return "", errors.New("expected plain text: values are not expanded")
	}
	return strings.Join(values, " "), nil
}
