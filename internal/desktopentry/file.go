package desktopentry

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a file and of a line, in bytes. Entries with many translations have
// some 50 kilobytes, the MIME types of a media player one line of six.
const (
	MaxFile = 256 << 10
	MaxLine = 32 << 10
)

// Entry is the name of the group that describes the program.
const Entry = "Desktop Entry"

// File is a file's groups, in order.
type File struct{ Groups []*Group }

// Group is a group's lines, in order.
type Group struct {
	Name  string
	Lines []Line
}

// Line is one value. A key has several where it is translated.
type Line struct {
	Key    string // without the locale
	Locale string // such as "de" or "pt_BR"; empty for the untranslated value
	Value  string // as written, with its escapes
}

// Parse reads a file. Comments and what is malformed are left out; a file that is
// too large, or not text in UTF-8, is an error.
func Parse(r io.Reader) (*File, error) {
	limited := &io.LimitedReader{R: r, N: MaxFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, MaxLine)
	f := new(File)
	var group *Group
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case !utf8.ValidString(line) || strings.ContainsFunc(line, isControl):
			return nil, errors.New("not text in UTF-8")
		case line == "" || line[0] == '#':
		case line[0] == '[':
			group = f.open(line)
		case group != nil:
			group.add(line)
		}
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("file over %d bytes", MaxFile)
	}
	return f, lines.Err()
}

// isControl leaves the tab, which stands in some values unescaped.
func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// open begins a group, or goes on with the one of that name.
func (f *File) open(header string) *Group {
	name, ok := strings.CutSuffix(header[1:], "]")
	if !ok || name == "" || strings.ContainsAny(name, "[]") {
		return nil
	}
	if g := f.Group(name); g != nil {
		return g
	}
	g := &Group{Name: name}
	f.Groups = append(f.Groups, g)
	return g
}

// Group returns the group of that name; nil, which is an empty group, if there is none.
func (f *File) Group(name string) *Group {
	for _, g := range f.Groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// add takes a line "key[locale]=value". The last one of a key counts, as with GLib.
func (g *Group) add(line string) {
	left, value, ok := strings.Cut(line, "=")
	key, locale, localized := strings.Cut(strings.TrimSpace(left), "[")
	if localized {
		locale, localized = strings.CutSuffix(locale, "]")
		ok = ok && localized && locale != "" && !strings.ContainsFunc(locale, oddInLocale)
	}
	if ok && key != "" && !strings.ContainsFunc(key, oddInKey) {
		g.set(Line{key, locale, strings.TrimSpace(value)})
	}
}

func (g *Group) set(line Line) {
	same := func(l Line) bool { return l.Key == line.Key && l.Locale == line.Locale }
	if at := slices.IndexFunc(g.Lines, same); at >= 0 {
		g.Lines[at] = line
		return
	}
	g.Lines = append(g.Lines, line)
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// oddInKey finds what has no place in an entry's key, nor in a MIME type, which is
// the key in lists of programs.
func oddInKey(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-_/+.", r) }

func oddInLocale(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("_.@-", r) }

// Get returns an untranslated value of type string, its escapes resolved; empty if
// there is none.
func (g *Group) Get(key string) string { return Unescape(g.raw(key)) }

// Bool returns a value of type boolean.
func (g *Group) Bool(key string) bool { return g.raw(key) == "true" }

// List returns the values of a list.
func (g *Group) List(key string) []string { return splitList(g.raw(key)) }

func (g *Group) raw(key string) string {
	if g == nil {
		return ""
	}
	for _, l := range g.Lines {
		if l.Key == key && l.Locale == "" {
			return l.Value
		}
	}
	return ""
}

// Set gives a key an untranslated value of type string.
func (g *Group) Set(key, value string) { g.set(Line{Key: key, Value: Escape(value)}) }

// Bytes returns the file as text.
func (f *File) Bytes() []byte {
	var b []byte
	for i, g := range f.Groups {
		if i > 0 {
			b = append(b, '\n')
		}
		b = fmt.Appendf(b, "[%s]\n", g.Name)
		for _, l := range g.Lines {
			if l.Locale == "" {
				b = fmt.Appendf(b, "%s=%s\n", l.Key, l.Value)
			} else {
				b = fmt.Appendf(b, "%s[%s]=%s\n", l.Key, l.Locale, l.Value)
			}
		}
	}
	return b
}
