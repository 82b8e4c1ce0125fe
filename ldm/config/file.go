package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"goldm/internal/unquote"
)

const (
	maxFile  = 1 << 20 // bytes of a file
	maxValue = 100     // lines that one quoted value may span
)

// Problem is something in a file that was passed over.
type Problem struct {
	File string
	Line int    // from 1; 0 for the file as a whole
	Text string // what was expected
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// assignment is one NAME=value of a section.
type assignment struct {
	name, value string
	line        int
}

// section is what stands below one [name]; a name that comes twice makes two.
type section struct {
	name        string
	line        int
	assignments []assignment
}

// readFile reads and parses a file.
func readFile(path string) ([]section, []Problem, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxFile {
		return nil, []Problem{{File: path, Text: fmt.Sprintf("over %d bytes, which no configuration needs", maxFile)}}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	sections, problems := parse(path, string(text))
	return sections, problems, nil
}

// parse splits a file into sections. What stands before the first belongs to
// [common], as LTSP has it.
func parse(path, text string) ([]section, []Problem) {
	p := parser{path: path, lines: strings.Split(text, "\n"), sections: []section{{name: "common"}}}
	for p.at < len(p.lines) {
		p.line(strings.TrimSpace(p.lines[p.at]))
		p.at++
	}
	return p.sections, p.problems
}

type parser struct {
	path     string
	lines    []string
	at       int // index of the current line
	sections []section
	problems []Problem
}

func (p *parser) complain(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{File: p.path, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (p *parser) line(line string) {
	number := p.at + 1
	switch {
	case line == "" || line[0] == '#' || line[0] == ';':
	case line[0] == '[':
		name, _, closed := strings.Cut(line[1:], "]")
		if !closed || strings.TrimSpace(name) == "" {
			p.complain(number, "expected a section as [name]")
			return
		}
		p.sections = append(p.sections, section{name: strings.TrimSpace(name), line: number})
	default:
		name, rest, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || !syntax.ValidName(name) {
			p.complain(number, "expected NAME=value; this line is skipped")
			return
		}
		value, err := p.value(strings.TrimLeft(rest, " \t"))
		if err != nil {
			p.complain(number, "%s: %v", name, err)
			return
		}
		last := &p.sections[len(p.sections)-1]
		last.assignments = append(last.assignments, assignment{name: name, value: value, line: number})
	}
}

// value takes the quoting off a value, which may go on over several lines when
// it is quoted.
func (p *parser) value(text string) (string, error) {
	first := p.at
	for {
		value, err := unquote.Value(text)
		if err == nil || !unquote.Incomplete(err) {
			return value, err
		}
		if p.at+1 >= len(p.lines) || p.at-first >= maxValue {
			p.at = first
			return "", errors.New("expected a closing quote")
		}
		p.at++
		text += "\n" + p.lines[p.at]
	}
}
