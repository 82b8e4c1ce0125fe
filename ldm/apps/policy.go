package apps

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goldm/internal/text"
	"goldm/ldm/wire"
)

// folders are where programs are looked for by their name; root's own.
var folders = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/games", "/usr/games"}

// Policy says which programs of this client a session may run.
type Policy struct {
	// Allowed are names and absolute paths; empty for each program that has a name
	// in one of Folders.
	Allowed []string

	Folders []string // in which names are looked up, in order; nil for the usual ones
}

// refusal says why a program does not run.
type refusal struct{ state, reason string }

func denied(reason string) *refusal { return &refusal{wire.Denied, reason} }

// shown is a stranger's word as it may stand in a sentence.
func shown(word string) string { return `"` + text.Line(word, 100) + `"` }

func forbidden(word string) *refusal {
	return denied("This client does not allow " + shown(word) + ". Ask the administrator to add it to LOCAL_APPS_WHITELIST.")
}

func missing(word string) *refusal {
	return &refusal{wire.NotFound, "There is no program " + shown(word) + " on this client."}
}

// program is a program as it was found. Two are the same where one file is
// reached under one name: a file that is several programs, such as busybox, goes by
// the name.
type program struct {
	path string // its last element may be a link, which is kept
	file string // without any link
}

func (p *program) same(other *program) bool {
	return p.file == other.file && filepath.Base(p.path) == filepath.Base(other.path)
}

// find returns the path of the program that a request means. It is one that the
// administrator's words lead to, never the request's own.
func (p *Policy) find(word string) (string, *refusal) {
	if word == "" || strings.Contains(word, "/") && !filepath.IsAbs(word) {
		return "", denied("Programs of this client are asked for by their name or by a path that starts with /, not by " + shown(word) + ".")
	}
	wanted := p.look(word)
	allowed := p.Allowed
	if len(allowed) == 0 {
		allowed = []string{filepath.Base(word)}
	}
	if wanted == nil && (len(p.Allowed) == 0 || slices.Contains(allowed, word)) {
		return "", missing(word)
	}
	for _, a := range allowed {
		if found := p.look(a); found != nil && wanted != nil && found.same(wanted) {
			return found.path, nil
		}
	}
	return "", forbidden(word)
}

// look finds a program by its name or by its path; nil where there is none.
func (p *Policy) look(word string) *program {
	if filepath.IsAbs(word) {
		return inspect(word)
	}
	in := p.Folders
	if in == nil {
		in = folders
	}
	for _, folder := range in {
		if found := inspect(filepath.Join(folder, word)); found != nil {
			return found
		}
	}
	return nil
}

// inspect returns the program at a path, if there is one.
func inspect(path string) *program {
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return nil
	}
	return &program{path: path, file: file}
}
