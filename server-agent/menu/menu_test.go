package menu

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/bundle"
)

func pack(t *testing.T, files ...bundle.File) []byte {
	t.Helper()
	packed, err := bundle.Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func file(path, text string) bundle.File { return bundle.File{Path: path, Data: []byte(text)} }

// environ runs env(1) behind a menu's argument list.
func environ(t *testing.T, m *Menu, env ...string) string {
	t.Helper()
	argv := append(m.Argv(), "/usr/bin/env")
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = env
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "XDG_") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestEnvironment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "menu")
	m, err := Write(dir, pack(t, file("share/icons/x.png", ""), file("config/mimeapps.list", "")), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "XDG_DATA_DIRS=" + dir + "/first:/usr/local/share:/usr/share:" + dir + "/last\nXDG_CONFIG_DIRS=" + dir + "/config:/etc/xdg\n"
	if d := cmp.Diff(want, environ(t, m)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, environ(t, m, "XDG_DATA_DIRS=", "XDG_CONFIG_DIRS=")); d != "" {
		t.Error(d)
	}
	got := environ(t, m, "XDG_DATA_DIRS=/a b:/c", "XDG_CONFIG_DIRS=/d")
	want = "XDG_DATA_DIRS=" + dir + "/first:/a b:/c:" + dir + "/last\nXDG_CONFIG_DIRS=" + dir + "/config:/d\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	m, err = Write(dir+"2", pack(t, file("share/icons/x.png", "")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := environ(t, m, "XDG_CONFIG_DIRS=/d"); !strings.HasSuffix(got, "\nXDG_CONFIG_DIRS=/d\n") && !strings.HasPrefix(got, "XDG_CONFIG_DIRS=/d\n") {
		t.Errorf("without links: %s", got)
	}
	if m, err := Write(dir+"3", pack(t), nil); m != nil || err != nil || m.Argv() != nil {
		t.Errorf("an empty menu: %v, %v", m, err)
	}
}

// All is the user's alone.
func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "menu")
	if _, err := Write(dir, pack(t, file("share/icons/hicolor/48x48/apps/x.png", "picture")), nil); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(dir, func(path string, info fs.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "last/icons/hicolor/48x48/apps/x.png")); string(data) != "picture" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestBadMenus(t *testing.T) {
	dir := t.TempDir()
	good := pack(t, file("share/x", ""))
	for name, try := range map[string]struct {
		dir    string
		packed []byte
	}{
		"no bundle":         {dir + "/a", []byte("x")},
		"another folder":    {dir + "/b", pack(t, file("bin/sh", ""))},
		"no folder":         {dir + "/c", pack(t, file("share", ""))},
		"a file, a folder":  {dir + "/d", pack(t, file("share/x", ""), file("share/x/y", ""))},
		"a folder, a file":  {dir + "/e", pack(t, file("share/x/y", ""), file("share/x", ""))},
		"there already":     {dir, good},
		"relative":          {"x", good},
		"a list":            {dir + "/a:b", good},
		"under no folder":   {dir + "/f/g", good},
		"one of two folder": {dir + "/h", pack(t, file("share/x", ""), file("lost/x", ""))},
	} {
		if m, err := Write(try.dir, try.packed, nil); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
}

func TestPlaces(t *testing.T) {
	home, share := t.TempDir(), t.TempDir()
	for _, path := range []string{home + "/.local/share/applications/own.desktop", share + "/applications/fox.desktop", share + "/applications/kde/org-x.desktop"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"HOME=" + home, "XDG_DATA_DIRS=/nonexistent:" + share}
	const entry = "[Desktop Entry]\nName=Fox\nName[de]=Fuchs\nExec=fox\n\n[Desktop Action new]\nName=New\n"
	const twin = "[Desktop Entry]\nName=Fox (this computer)\nName[de]=Fuchs (this computer)\nExec=fox\n\n[Desktop Action new]\nName=New\n"
	places := map[string]bundle.File{
		"share/applications/ltsp-local-fox.desktop":       file("last/applications/ltsp-local-fox.desktop", twin),
		"share/applications/ltsp-local-kde-org-x.desktop": file("last/applications/ltsp-local-kde-org-x.desktop", twin),
		"share/applications/ltsp-local-own.desktop":       file("last/applications/ltsp-local-own.desktop", twin),
		"share/applications/ltsp-local-wolf.desktop":      file("last/applications/ltsp-local-wolf.desktop", entry),
		"share/applications/fox.desktop":                  file("first/applications/fox.desktop", entry),
		"share/applications/kde-org-x.desktop":            file("first/applications/kde-org-x.desktop", entry),
		"share/applications/wolf.desktop":                 file("last/applications/wolf.desktop", entry),
		"share/applications/ltsp-local-fox":               file("last/applications/ltsp-local-fox", entry),
		"share/applications/mimeinfo.cache":               file("last/applications/mimeinfo.cache", entry),
		"share/icons/fox.desktop":                         file("last/icons/fox.desktop", entry),
		"config/applications/ltsp-local-fox.desktop":      file("config/applications/ltsp-local-fox.desktop", entry),
	}
	for path, want := range places {
		got := place(file(path, entry), env)
		if d := cmp.Diff(want, got[len(got)-1]); d != "" {
			t.Errorf("%s: %s", path, d)
		}
		if replaces := strings.HasPrefix(want.Path, first); replaces != (len(got) == 2) || replaces && got[0].Path != last+strings.TrimPrefix(path, "share") {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, bad := range []string{"", "\x00", "no entry"} {
		if got := string(tell([]byte(bad))); got != bad {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// Sessions, one after the other, have one name; those at a time have their own.
func TestSettle(t *testing.T) {
	runtime := t.TempDir()
	made := func(n string) *Menu {
		m, err := Write(filepath.Join(t.TempDir(), n), pack(t, file("share/x", "")), nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	settled := func(m *Menu) string {
		t.Helper()
		if err := m.Settle(runtime); err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(m.Argv()[len(m.Argv())-1], runtime)
	}
	a, b := made("a"), made("b")
	if got := settled(a) + settled(b); got != "/ltsp-menu-1/ltsp-menu-2" {
		t.Errorf("two at a time: %s", got)
	}
	if _, err := os.Stat(filepath.Join(runtime, "ltsp-menu-1/last/x")); err != nil {
		t.Error(err)
	}
	if err := a.Remove(); err != nil {
		t.Error(err)
	}
	os.RemoveAll(b.dir) // that session was killed
	if got := settled(made("c")) + settled(made("d")); got != "/ltsp-menu-1/ltsp-menu-2" {
		t.Errorf("two after that: %s", got)
	}
	for range slots - 2 {
		settled(made("e"))
	}
	last := made("f")
	if err := last.Settle(runtime); err == nil || last.Argv()[4] != last.dir || last.Remove() != nil {
		t.Errorf("one too many: %v, %v", err, last)
	}
	for _, bad := range []string{"", "/nonexistent", "/a:b"} {
		if err := made("g").Settle(bad); err == nil {
			t.Errorf("settled in %q", bad)
		}
	}
	var none *Menu
	if none.Settle(runtime) != nil || none.Remove() != nil {
		t.Error("no menu has a name")
	}
}

func TestInbox(t *testing.T) {
	var box Inbox
	box.Add([]byte("a"))
	box.Add(nil)
	box.Add([]byte("bc"))
	if got, err := box.Packed(); string(got) != "abc" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	part := make([]byte, 1<<20)
	for range 100 {
		box.Add(part)
	}
	if got, err := box.Packed(); err == nil || len(box.packed) > bundle.MaxSize {
		t.Errorf("%d bytes", len(got))
	}
}

// FuzzWrite writes what a client may send; nothing may come to lie outside.
func FuzzWrite(f *testing.F) {
	f.Add("share/applications/ltsp-local-x.desktop", []byte("[Desktop Entry]\nName=x\n"))
	f.Add("../x", []byte{})
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		packed, err := bundle.Pack([]bundle.File{{Path: path, Data: data}})
		if err != nil {
			packed = data
		}
		root := t.TempDir()
		Write(filepath.Join(root, "menu"), packed, []string{"HOME=" + root})
		entries, err := os.ReadDir(root)
		if err != nil || len(entries) > 1 {
			t.Errorf("%v, %v", entries, err)
		}
	})
}
