package menu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goldm/internal/bundle"
)

// The folders of a menu: the first two go to the front and the end of XDG_DATA_DIRS, the
// third to the front of XDG_CONFIG_DIRS.
const (
	first  = "first"
	last   = "last"
	config = "config"
)

// Menu is the entries of the client's programs for a session. A nil *Menu is that of
// a session without.
type Menu struct{ dir string }

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
		if err := write(dir, tell(f, env)); err != nil {
			return nil, err
		}
	}
	return &Menu{dir}, nil
}

// write writes a file of the bundle, whose path has been checked there.
func write(dir string, f bundle.File) error {
	top, _, below := strings.Cut(f.Path, "/")
	if !below || !slices.Contains([]string{first, last, config}, top) {
		return fmt.Errorf("menu: file %.200q", f.Path)
	}
	path := filepath.Join(dir, f.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Data)
	return errors.Join(err, file.Close())
}

// Argv returns the beginning of an argument list whose end runs with the menu.
func (m *Menu) Argv() []string {
	if m == nil {
		return nil
	}
	return []string{"/bin/sh", "-c", leadScript, "sh", m.dir}
}
