package menu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/bundle"
)

// The folders of a menu: the first two go to the front and the end of XDG_DATA_DIRS, the
// third to the front of XDG_CONFIG_DIRS.
//
// All is at the end, so that what the server's own programs open stays theirs: of programs
// that open a type, desktops prefer those of the first folder, and that folder is where
// an entry is. At the front is only what takes the place of the server's entries.
const (
	first  = "first"
	last   = "last"
	config = "config"

	share = "share" // what the client calls the first two
)

// Menu is the entries of the client's programs for a session. A nil *Menu is that of
// a session without.
type Menu struct {
	dir  string
	name string // another path of it; or empty
}

// leadScript leads the desktop to the menu in the folder $1, and runs the rest of its
// arguments. It runs after the login's files, which may set the variables. Their
// defaults are those of the Base Directory Specification, chapter 3.
const leadScript = `dir=$1; shift
XDG_DATA_DIRS=$dir/first:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}:$dir/last
export XDG_DATA_DIRS
if [ -d "$dir/config" ]; then
	XDG_CONFIG_DIRS=$dir/config:${XDG_CONFIG_DIRS:-/etc/xdg}
	export XDG_CONFIG_DIRS
fi
exec "$@"`

// Write writes the files of a packed menu into a folder, which is made and must not be
// there yet. Who has made it removes it. With env, the session's environment, it
// finds out which programs are the server's too.
func Write(dir string, packed []byte, env []string) (*Menu, error) {
	if !filepath.IsAbs(dir) || strings.Contains(dir, ":") {
		return nil, fmt.Errorf("menu: the folder %q cannot stand in a list", dir)
	}
	if len(packed) == 0 {
		return nil, nil
	}
	files, err := bundle.Unpack(packed)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for _, f := range files {
		if top, _, below := strings.Cut(f.Path, "/"); !below || top != share && top != config {
			return nil, fmt.Errorf("menu: file %.200q", f.Path)
		}
		for _, f := range place(f, env) {
			if err := write(filepath.Join(dir, f.Path), f.Data); err != nil {
				return nil, err
			}
		}
	}
	return &Menu{dir: dir}, nil
}

// write writes a file that must not be there yet.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// Argv returns the beginning of an argument list whose end runs with the menu.
func (m *Menu) Argv() []string {
	if m == nil {
		return nil
	}
	return []string{"/bin/sh", "-c", leadScript, "sh", cmp.Or(m.name, m.dir)}
}
