package xsessions

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitExec(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []string
	}{
		{`startxfce4`, []string{"startxfce4"}},
		{`env GNOME_SHELL_SESSION_MODE=classic gnome-session`, []string{"env", "GNOME_SHELL_SESSION_MODE=classic", "gnome-session"}},
		{`"/opt/my desk/start" --with "a \"b\" \$c \\"`, []string{"/opt/my desk/start", "--with", `a "b" $c \`}},
		{`desk %f %U --caption=%c 100%%`, []string{"desk", "--caption=", "100%"}},
		{`desk "" x`, []string{"desk", "", "x"}},
		{"", nil},
	} {
		got, err := splitExec(c.value)
		if err != nil {
			t.Errorf("%s: %v", c.value, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.value, d)
		}
	}
	for _, bad := range []string{`"open`, `"a\`} {
		if got, err := splitExec(bad); err == nil {
			t.Errorf("%s: %q, want an error", bad, got)
		}
	}
}

const xfce = `# A comment
[Desktop Entry]
Name=Xfce Session
Name[de]=Xfce-Sitzung
Exec = startxfce4
TryExec=sh
DesktopNames=XFCE;GTK;
[Desktop Action x]
Exec=other
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "xsessions")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	local := folder(t, map[string]string{"plasma.desktop": "[Desktop Entry]\nExec=startplasma-x11 --local\n"})
	system := folder(t, map[string]string{
		"xfce.desktop":   xfce,
		"plasma.desktop": "[Desktop Entry]\nExec=startplasma-x11\n",
		"hidden.desktop": "[Desktop Entry]\nHidden=true\nExec=hidden\n",
		"gone.desktop":   "[Desktop Entry]\nExec=gone\nTryExec=/nonexistent/gone\n",
		"empty.desktop":  "",
	})
	dirs := []string{local, system, "/nonexistent"}
	want := &Session{ID: "xfce", Name: "Xfce Session", Exec: []string{"startxfce4"}, Try: "sh", Names: []string{"XFCE", "GTK"}, Translated: map[string]string{"de": "Xfce-Sitzung"}}
	for _, name := range []string{"xfce", "startxfce4", " startxfce4 "} {
		got, err := Find(dirs, name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", name, d)
		}
	}
	if s, err := Find(dirs, "plasma"); err != nil || !slices.Contains(s.Exec, "--local") {
		t.Errorf("plasma = %v, %v; want the first folder's", s, err)
	}
	for _, name := range []string{"", "hidden", "gone", "empty", "unknown", "../xsessions/xfce", "xfce\x00", ".xfce"} {
		if s, err := Find(dirs, name); err == nil {
			t.Errorf("%q = %+v, want an error", name, s)
		}
	}
}

func TestDirs(t *testing.T) {
	want := []string{"/usr/local/share/xsessions", "/usr/share/xsessions"}
	if d := cmp.Diff(want, Dirs("")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/opt/xsessions"}, Dirs("relative:/opt:")); d != "" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(xfce)
	f.Add("[Desktop Entry]\nExec=\"a b\\\\\" %f %% \\s x\n")
	f.Fuzz(func(t *testing.T, file string) {
		s, err := parse("id", strings.NewReader(file))
		if err == nil && len(s.Exec) == 0 {
			t.Error("a session without a command")
		}
	})
}
