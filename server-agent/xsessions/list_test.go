package xsessions

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestList(t *testing.T) {
	entry := "[Desktop Entry]\nName=A name\nExec=true\n"
	local := folder(t, map[string]string{"plasma.desktop": "[Desktop Entry]\nName=Plasma\nExec=plasma --local\n"})
	system := folder(t, map[string]string{
		"plasma.desktop":    entry,
		"xfce.desktop":      xfce + "[Desktop Entry]\nName[fr]=Session d'Xfce\nName[sr.UTF-8@latin]=Xfce sesija\nName[../x]=no\nName[it]=a\"b\n",
		"hidden.desktop":    entry + "Hidden=true\n",
		"nodisplay.desktop": entry + "NoDisplay=true\n",
		"gone.desktop":      entry + "TryExec=/nonexistent/gone\n",
		"readme.txt":        "not a session",
	})
	got, problems := List([]string{local, system, "/nonexistent"})
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	want := []Session{
		{ID: "plasma", Name: "Plasma", Exec: []string{"plasma", "--local"}},
		{
			ID: "xfce", Name: "Xfce Session", Exec: []string{"startxfce4"}, Try: "sh", Names: []string{"XFCE", "GTK"},
			Translated: map[string]string{"de": "Xfce-Sitzung", "fr": "Session d'Xfce", "sr@latin": "Xfce sesija"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Each file that cannot be offered is named, and the others are offered.
func TestListNamesTheCulprit(t *testing.T) {
	entry := "[Desktop Entry]\nName=A name\nExec=true\n"
	for _, tt := range []struct {
		file, text, problem string
		kept                bool // under its id
	}{
		{"a\"quote.desktop", entry, `a\"quote.desktop": a session's file`, false},
		{"an'apostrophe.desktop", entry, "an'apostrophe.desktop: a session's file", false},
		{"new\nline.desktop", entry, `new\nline.desktop": a session's file`, false},
		{"dollar$(reboot).desktop", entry, "dollar$(reboot).desktop: a session's file", false},
		{"latin\xe9.desktop", entry, `latin\xe9.desktop": a session's file`, false},
		{strings.Repeat("x", 150) + ".desktop", entry, "a session's file", false},
		{"slash.desktop", "[Desktop Entry]\nName=../../etc\nExec=true\n", `slash.desktop: Name="../../etc" is empty, too long`, true},
		{"quote.desktop", "[Desktop Entry]\nName=say \"hi\"\nExec=true\n", "quote.desktop: Name=", true},
		{"line.desktop", "[Desktop Entry]\nName=two\\nlines\nExec=true\n", `line.desktop: Name="two\nlines"`, true},
		{"nameless.desktop", "[Desktop Entry]\nExec=true\n", `nameless.desktop: Name=""`, true},
		{"command.desktop", "[Desktop Entry]\nName=A\nExec=\"two\\\\nlines\x01\"\n", "command.desktop: Exec=", false},
		{"long.desktop", "[Desktop Entry]\nName=A\nExec=" + strings.Repeat("x", 2000) + "\n", "long.desktop: Exec=", false},
		{"noexec.desktop", "[Desktop Entry]\nName=A\n", "noexec.desktop: no Exec", false},
		{"binary.desktop", "\x00\x01\x02", "binary.desktop: no Exec", false},
	} {
		dir := folder(t, map[string]string{tt.file: tt.text, "zz.desktop": entry})
		got, problems := List([]string{dir})
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.problem) || strings.ContainsAny(problems[0].Error(), "\n\x01") {
			t.Errorf("%q: problems %q, want %s", tt.file, problems, tt.problem)
		}
		ids := []string{"zz"}
		if id := strings.TrimSuffix(tt.file, ".desktop"); tt.kept {
			ids = []string{id, "zz"}
			if len(got) == 2 && got[0].Name != id {
				t.Errorf("%q goes by %q", id, got[0].Name)
			}
		}
		var listed []string
		for _, s := range got {
			listed = append(listed, s.ID)
		}
		if d := cmp.Diff(ids, listed); d != "" {
			t.Errorf("%q: %s", tt.file, d)
		}
	}
}

// What is no file that can be read is a problem, and no wait.
func TestListStrangeFiles(t *testing.T) {
	dir := folder(t, map[string]string{"good.desktop": "[Desktop Entry]\nName=A\nExec=true\n"})
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "folder.desktop"), 0o755),
		os.Symlink("/nonexistent", filepath.Join(dir, "link.desktop")),
		os.Symlink("/dev/zero", filepath.Join(dir, "endless.desktop")),
		syscall.Mkfifo(filepath.Join(dir, "pipe.desktop"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	got, problems := List([]string{dir, filepath.Join(dir, "good.desktop")})
	if len(got) != 1 || got[0].ID != "good" || len(problems) != 5 {
		t.Errorf("%+v, %q", got, problems)
	}
	for _, p := range problems {
		if !strings.Contains(p.Error(), dir+"/") {
			t.Errorf("%v does not name a file", p)
		}
	}
}

func TestListIsBounded(t *testing.T) {
	files := make(map[string]string)
	for n := range maxSessions + 20 {
		files[string(rune('a'+n/26))+string(rune('a'+n%26))+".desktop"] = "[Desktop Entry]\nName=A\nExec=true\n"
	}
	got, problems := List([]string{folder(t, files)})
	if len(got) != maxSessions || len(problems) != 1 {
		t.Errorf("%d sessions, %q", len(got), problems)
	}
}
