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
	applications = "/applications/"
	prefix       = "ltsp-local-" // of ids that no server has
	suffix       = ".desktop"

	// here follows the name of a program of the client that the server has too.
	here = " (this computer)"
)

// place puts a file of the client's into our folders: an entry of an id that the server
// has takes its place. It is then in both, since icewm-menu-fdo 3.3 takes the last of
// two with one name where others take the first of two with one id.
func place(f bundle.File, env []string) []bundle.File {
	below, ok := strings.CutPrefix(f.Path, share+"/")
	if !ok {
		return []bundle.File{f}
	}
	f.Path = last + "/" + below
	id, entry := strings.CutSuffix(strings.TrimPrefix("/"+below, applications), suffix)
	twin, beside := strings.CutPrefix(id, prefix)
	switch {
	case !entry || strings.Contains(id, "/") || !installed(twin, env):
		return []bundle.File{f}
	case beside:
		return []bundle.File{{Path: f.Path, Data: tell(f.Data)}}
	}
	return []bundle.File{f, {Path: first + "/" + below, Data: f.Data}}
}

// tell tells a program of the client from the server's of the same id, so that a
// menu has no two that look alike.
func tell(entry []byte) []byte {
	file, err := desktopentry.Parse(bytes.NewReader(entry))
	if err != nil || file.Group(desktopentry.Entry) == nil {
		return entry
	}
	lines := file.Group(desktopentry.Entry).Lines
	for i := range lines {
		if lines[i].Key == "Name" || lines[i].Key == "X-GNOME-FullName" {
			lines[i].Value += here
		}
	}
	return file.Bytes()
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
