package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Folders that others own, may write to, or have put links in place of.
func TestAttackFolders(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("other users' folders need root")
	}
	const user, other = 54320, 54321
	dir := t.TempDir()
	n := 0
	folder := func(uid, gid int, mode fs.FileMode) string {
		n++
		path := filepath.Join(dir, string(rune('a'+n)))
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, uid, gid), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(folder(0, 0, 0o700), link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	sticky := 0o777 | fs.ModeSticky
	for name, tt := range map[string]struct {
		path                   string
		private, shared, owned bool
	}{
		"the user's alone":      {folder(user, user, 0o700), true, false, true},
		"others may look":       {folder(user, user, 0o711), false, false, true},
		"a group may write":     {folder(user, 100, 0o770), false, false, false},
		"another's":             {folder(other, other, 0o700), false, false, false},
		"another's, sticky":     {folder(other, other, sticky), false, false, false},
		"the user's, sticky":    {folder(user, user, sticky), false, false, false},
		"root's":                {folder(0, 0, 0o755), false, true, true},
		"root's, sticky":        {folder(0, 0, sticky), false, true, false},
		"root's, not sticky":    {folder(0, 0, 0o777), false, false, false},
		"root's, for a group":   {folder(0, 100, 0o775), false, false, false},
		"a link to root's":      {link, false, false, false},
		"a file":                {file, false, false, false},
		"a link to nowhere":     {filepath.Join(dir, "nowhere"), false, false, false},
		"a folder with a setid": {folder(user, user, 0o700|fs.ModeSetgid), true, false, true},
	} {
		for check, got := range map[string]struct {
			err  error
			good bool
		}{
			"private": {Private(tt.path, user), tt.private},
			"shared":  {Shared(tt.path), tt.shared},
			"owned":   {Owned(tt.path, user), tt.owned},
		} {
			if (got.err == nil) != got.good {
				t.Errorf("%s: %s: %v", name, check, got.err)
			}
		}
	}
	if err := Private(filepath.Join(dir, "nowhere"), user); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
