package sound

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

var silent = slog.New(slog.DiscardHandler)

// newFolder makes a folder as the client's script does.
func newFolder(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) (*Folder, error) {
	t.Helper()
	f, err := Open([]string{Variable + "=" + path, "PULSE_SERVER=unix:" + path + "/native"}, silent)
	t.Cleanup(f.Stop)
	return f, err
}

func TestFolderIsRemoved(t *testing.T) {
	path := newFolder(t, Prefix+"abc")
	if err := os.WriteFile(filepath.Join(path, "cookie"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	f, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	f.Stop()
	for range 2 { // the second time it is gone
		if err := Remove([]string{Variable + "=" + path}); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestNoSound(t *testing.T) {
	f, err := Open([]string{"HOME=/root"}, silent)
	if f != nil || err != nil {
		t.Errorf("%v, %v", f, err)
	}
	f.Stop()
	if err := Remove([]string{"HOME=/root"}); err != nil {
		t.Error(err)
	}
}

// Whatever the variable says, nothing but a folder of sound is taken, and removed at the end.
func TestOtherFoldersAreLeftAlone(t *testing.T) {
	good := newFolder(t, Prefix+"abc")
	open0 := newFolder(t, Prefix+"open")
	if err := os.Chmod(open0, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), Prefix+"link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{newFolder(t, "home"), open0, link, "relative/" + Prefix + "abc", good + "/../" + filepath.Base(good), "/nonexistent/" + Prefix + "abc"} {
		if f, err := open(t, path); f != nil || err == nil {
			t.Errorf("%s is taken: %v", path, err)
		}
		Remove([]string{Variable + "=" + path})
		if _, err := os.Stat(good); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}
