package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Paths are the files looked for, in order; the first that exists counts.
func Paths() []string { return []string{"/etc/ltsp/ltsp.conf", "/etc/lts.conf"} }

// Value is an effective setting and where it came from.
type Value struct {
	Text   string
	Source string // file:line, or "default"
}

// maxDepth bounds LIKE and INCLUDE, which may form a circle.
const maxDepth = 16

// loader gathers a client's assignments.
type loader struct {
	path     string
	sections []section
	values   map[string]Value
	problems []Problem
	warnings []Problem // see exposed
}

// gather gathers the assignments that count for the client c in the first of
// paths that exists; none when none does.
func gather(paths []string, c Client) (*loader, error) {
	l := &loader{values: make(map[string]Value)}
	for _, path := range paths {
		sections, problems, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return l, fmt.Errorf("configuration: %w", err)
		}
		l.path, l.sections, l.problems, l.warnings = path, sections, problems, exposed(path, sections)
		break
	}
	for fit := generalFit; fit <= exactFit; fit++ {
		for i := range l.sections {
			if c.fit(l.sections[i].name) == fit {
				l.take(&l.sections[i], nil)
			}
		}
	}
	return l, nil
}

// take lets a section's assignments count, those of the sections that it pulls
// in before its own.
func (l *loader) take(s *section, within []string) {
	for _, a := range s.assignments {
		if a.name == "LIKE" || a.name == "INCLUDE" {
			l.include(a, append(within, s.name))
		}
	}
	for _, a := range s.assignments {
		if a.name != "LIKE" && a.name != "INCLUDE" {
			l.values[a.name] = Value{Text: a.value, Source: fmt.Sprintf("%s:%d", l.path, a.line)}
		}
	}
}

func (l *loader) include(a assignment, within []string) {
	for _, name := range strings.Fields(a.value) {
		if slices.Contains(within, name) || len(within) >= maxDepth {
			l.complain(a.line, "%s=%s goes round in a circle", a.name, name)
			continue
		}
		found := false
		for i := range l.sections {
			if l.sections[i].name == name {
				found = true
				l.take(&l.sections[i], within)
			}
		}
		if !found {
			l.complain(a.line, "%s: there is no section [%s]", a.name, name)
		}
	}
}

func (l *loader) complain(line int, format string, args ...any) {
	p := Problem{File: l.path, Line: line, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(l.problems, p) {
		l.problems = append(l.problems, p)
	}
}
