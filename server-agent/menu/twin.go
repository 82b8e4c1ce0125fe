package menu

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/bundle"
	"goldm/internal/desktopentry"
)

const (
	prefix = first + "/applications/ltsp-local-"
	suffix = ".desktop"

	// here follows the name of a program of the client that the server has too.
	here = " (this computer)"
)

// tell tells a program of the client from the server's of the same id, so that a
// menu has no two that look alike.
func tell(f bundle.File, env []string) bundle.File {
	id, ours := strings.CutPrefix(f.Path, prefix)
	id, entry := strings.CutSuffix(id, suffix)
	if !ours || !entry || !installed(id, env) {
		return f
	}
	file, err := desktopentry.Parse(bytes.NewReader(f.Data))
	if err != nil || file.Group(desktopentry.Entry) == nil {
		return f
	}
	lines := file.Group(desktopentry.Entry).Lines
	for i := range lines {
		if lines[i].Key == "Name" || lines[i].Key == "X-GNOME-FullName" {
			lines[i].Value += here
		}
	}
	f.Data = file.Bytes()
	return f
}

// installed tells whether the server has a desktop file of that id. A dash in the id
// may stand for a folder.
func installed(id string, env []string) bool {
	home := cmp.Or(lookup(env, "XDG_DATA_HOME"), filepath.Join(lookup(env, "HOME"), ".local/share"))
	dirs := cmp.Or(lookup(env, "XDG_DATA_DIRS"), "/usr/local/share:/usr/share")
	names := []string{id}
	for i := range id {
		if id[i] == '-' {
			names = append(names, id[:i]+"/"+id[i+1:])
		}
	}
	for _, dir := range append(filepath.SplitList(dirs), home) {
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(dir, "applications", name+suffix)); err == nil {
				return true
			}
		}
	}
	return false
}

func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
