package ldm

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"goldm/internal/peer/peertest"
)

// The X servers' folder, or one above it, that another user has made or can change is refused.
func TestAttackSocketDir(t *testing.T) {
	peertest.NeedRoot(t)
	for name, tt := range map[string]struct {
		spoil func(tmp, path string) error
		good  bool
	}{
		"missing":                    {func(tmp, path string) error { return os.Remove(path) }, true},
		"root's":                     {func(tmp, path string) error { return nil }, true},
		"another's":                  {func(tmp, path string) error { return os.Chown(path, peertest.Stranger, -1) }, false},
		"a link":                     {func(tmp, path string) error { return replaceBy(path, "/etc") }, false},
		"a file":                     {func(tmp, path string) error { return replaceBy(path, "") }, false},
		"in another's folder":        {func(tmp, path string) error { return os.Chown(tmp, peertest.Stranger, -1) }, false},
		"in one that is not sticky":  {func(tmp, path string) error { return os.Chmod(tmp, 0o777) }, false},
		"not sticky, which is cured": {func(tmp, path string) error { return os.Chmod(path, 0o777) }, true},
	} {
		tmp := filepath.Join(t.TempDir(), "tmp")
		path := filepath.Join(tmp, ".X11-unix")
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(tmp, 0o777|fs.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if err := tt.spoil(tmp, path); err != nil {
			t.Fatal(err)
		}
		if err := makeSocketDir(path); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat("/etc"); err != nil || info.Mode().Perm() != 0o755 {
			t.Fatalf("%s: /etc: %v, %v", name, info, err)
		}
		if info, err := os.Lstat(path); tt.good && (err != nil || info.Mode() != fs.ModeDir|fs.ModeSticky|0o777) {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// replaceBy puts a link, or an empty file, in place of a folder.
func replaceBy(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if target == "" {
		return os.WriteFile(path, nil, 0o644)
	}
	return os.Symlink(target, path)
}

// A folder for sockets and cookies that is a link or another user's is refused.
func TestAttackRunDir(t *testing.T) {
	peertest.NeedRoot(t)
	for name, spoil := range map[string]func(path string) error{
		"another's":   func(path string) error { return os.Chown(path, peertest.Stranger, -1) },
		"everybody's": func(path string) error { return os.Chmod(path, 0o777|fs.ModeSticky) },
		"a link":      func(path string) error { return replaceBy(path, t.TempDir()) },
	} {
		run := filepath.Join(t.TempDir(), "ldm")
		if err := os.Mkdir(run, 0o711); err != nil {
			t.Fatal(err)
		}
		if err := spoil(run); err != nil {
			t.Fatal(err)
		}
		s := &Seat{Config: Config{RunDir: run}, dir: filepath.Join(run, "seat0")}
		if err := s.makeDirs(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
