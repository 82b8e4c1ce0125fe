package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"goldm/internal/cli"
	"goldm/internal/unquote"
)

// Path is where the file is.
const Path = "/etc/ltsp/server-agent.conf"

// maxFile bounds the file, in bytes.
const maxFile = 64 << 10

// Etcd is the one kind of cluster that there is.
const Etcd = "etcd"

// Settings are those of one server.
type Settings struct {
	Listen     []string // addresses for LTSP 5's text; none unless asked for
	ListenHTTP []string // addresses for /v1/info
	Metrics    string   // address for Prometheus; empty for none

	Name    string   // of this server in the cluster; empty for the host name
	Address []string // host names or addresses by which clients reach it; empty for Name
	SSHPort int

	Cluster       string // Etcd, or empty for none
	Endpoints     []string
	CA, Cert, Key string        // files for TLS
	Prefix        string        // of all keys
	Lease         time.Duration // how long the cluster remembers a server that is not heard of
}

// Problem is a line that was passed over.
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

// Default returns the settings of a server without a file.
func Default() Settings {
	return Settings{
		ListenHTTP: []string{":9572"},
		SSHPort:    22,
		Prefix:     "/ltsp/",
		Lease:      30 * time.Second,
	}
}

// Load reads a file. One that does not exist is as good as an empty one.
func Load(path string) (Settings, []Problem, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil, nil
	}
	if err != nil {
		return Default(), nil, fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return Default(), nil, fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxFile {
		return Default(), []Problem{{File: path, Text: fmt.Sprintf("over %d bytes, which no configuration needs", maxFile)}}, nil
	}
	s, problems := Parse(path, string(text))
	return s, problems, nil
}

// Parse reads the text of the file at path.
func Parse(path, text string) (Settings, []Problem) {
	r := reader{path: path, settings: Default(), seen: make(map[string]int)}
	number := 0
	for line := range strings.Lines(text) {
		number++
		r.line(number, strings.TrimSpace(line))
	}
	r.whole()
	return r.settings, r.problems
}

type reader struct {
	path     string
	settings Settings
	seen     map[string]int // the line of each setting that counts
	problems []Problem
}

func (r *reader) complain(line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.path, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) line(number int, line string) {
	if line == "" || line[0] == '#' {
		return
	}
	name, rest, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.ContainsAny(name, " \t\"'[]") {
		r.complain(number, "expected name = value; this line is skipped")
		return
	}
	set, known := setters[name]
	if !known {
		r.complain(number, "%s", unknown(name))
		return
	}
	value, err := unquote.Value(strings.TrimSpace(rest))
	if unquote.Incomplete(err) {
		err = errors.New("expected a closing quote")
	}
	next := r.settings
	if err == nil {
		err = set(&next, value)
	}
	if err != nil {
		r.complain(number, "%s: %v", name, err)
		return
	}
	r.settings = next
	if before := r.seen[name]; before > 0 {
		r.complain(number, "%s was set in line %d already; this line counts", name, before)
	}
	r.seen[name] = number
}

func unknown(name string) string {
	var names []string
	for n := range setters {
		names = append(names, n)
	}
	if near := cli.Nearest(strings.ToLower(name), names); near != "" {
		return fmt.Sprintf("%.60q is not a setting; did you mean %s?", name, near)
	}
	return fmt.Sprintf("%.60q is not a setting", name)
}

// whole checks what several lines make together.
func (r *reader) whole() {
	s := &r.settings
	if s.Cluster != "" && len(s.Endpoints) == 0 {
		r.complain(r.seen["cluster"], "cluster = %s: expected a line endpoints = https://host:2379 too; there is no cluster without", s.Cluster)
		s.Cluster = ""
	}
	if (s.Cert == "") != (s.Key == "") {
		r.complain(max(r.seen["cert"], r.seen["key"]), "expected both cert and key, or neither; there is no cluster without")
		s.Cluster = ""
	}
}
