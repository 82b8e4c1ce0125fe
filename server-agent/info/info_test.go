package info

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/infowire"
)

// school is a server of a German school.
var school = map[string]string{
	"proc/loadavg":         "1.50 0.75 0.25 3/1025 4711\n",
	"proc/meminfo":         "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    6000000 kB\nBuffers:           1234 kB\n",
	"proc/pressure/cpu":    "some avg10=2.50 avg60=0.87 avg300=0.53 total=7348\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	"proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	"proc/pressure/io":     "some avg10=12.00 avg60=0.00 avg300=0.00 total=1\n",
	"etc/default/locale":   "# written by hand\nLANG=\"de_DE.UTF-8\"\n",
	"etc/default/keyboard": "XKBMODEL=\"pc105\"\nXKBLAYOUT=de,us\nXKBVARIANT='nodeadkeys,'\nXKBOPTIONS=\"grp:alt_shift_toggle\"\nBACKSPACE=\"guess\"\n",

	"usr/share/xsessions/xfce.desktop":       "[Desktop Entry]\nName=Xfce Session\nName[de]=Xfce-Sitzung\nExec=startxfce4\n",
	"usr/local/share/xsessions/mate.desktop": "[Desktop Entry]\nName=MATE\nExec=mate-session --fast\n",
}

func locale(text string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(text), nil }
}

// source makes a server of files; those with the text "-" are not there, after all.
func source(t *testing.T, changes map[string]string) *Source {
	t.Helper()
	root := t.TempDir()
	for _, files := range []map[string]string{school, changes} {
		for name, text := range files {
			path := filepath.Join(root, name)
			var err error
			if text == "-" {
				err = os.Remove(path)
			} else {
				err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	script := filepath.Join(root, "etc/X11/Xsession")
	if err := errors.Join(os.MkdirAll(filepath.Dir(script), 0o755), os.WriteFile(script, nil, 0o755)); err != nil {
		t.Fatal(err)
	}
	return New(Config{
		Version: "1.0", Capabilities: []string{"session"}, Root: root,
		Running: func(context.Context) (int, error) { return 2, nil },
		Locales: locale("C\nC.utf8\nPOSIX\nca_ES.utf8@valencia\nde_DE\nde_DE.utf8\ngerman\nen_US.utf8\n"),
	})
}

func TestGet(t *testing.T) {
	got := source(t, nil).Get(t.Context())
	if len(got.Problems) > 0 {
		t.Errorf("problems: %v", got.Problems)
	}
	want := infowire.Info{
		Version: 1, Agent: "1.0", Capabilities: []string{"session"}, Running: 2,
		Sessions: []infowire.Session{
			{ID: "mate", Name: "MATE", Exec: []string{"mate-session", "--fast"}},
			{ID: "xfce", Name: "Xfce Session", Names: map[string]string{"de": "Xfce-Sitzung"}, Exec: []string{"startxfce4"}},
		},
		Languages: []string{"de_DE.UTF-8", "C.UTF-8", "ca_ES.UTF-8@valencia", "en_US.UTF-8"},
		Keyboard:  &infowire.Keyboard{Model: "pc105", Layout: "de,us", Variant: "nodeadkeys,", Options: "grp:alt_shift_toggle"},
		Load:      &infowire.Load{CPUs: cpus(), One: 1.5, Five: 0.75, Fifteen: 0.25},
		Memory:    &infowire.Memory{Total: 8000000 << 10, Available: 6000000 << 10},
		Pressure:  &infowire.Pressure{CPU: 2.5, IO: 12},
	}
	want.Rating = Rate(want)
	if rating, running := source(t, nil).Measure(t.Context()); rating != want.Rating || running != 2 {
		t.Errorf("measured: rating %d, %d sessions", rating, running)
	}
	if d := cmp.Diff(want, got.Info); d != "" {
		t.Error(d)
	}
	if got.XSession != "/etc/X11/Xsession" {
		t.Errorf("session script %q", got.XSession)
	}
}

// What is wrong with one file is told with its name, and costs only its own part.
func TestOneBadFile(t *testing.T) {
	for _, tt := range []struct {
		file, text, problem string
		lost                func(Info) bool
	}{
		{"proc/loadavg", "", "/proc/loadavg", func(i Info) bool { return i.Load == nil }},
		{"proc/loadavg", "NaN 1 1", "/proc/loadavg", func(i Info) bool { return i.Load == nil }},
		{"proc/loadavg", "-", "proc/loadavg", func(i Info) bool { return i.Load == nil }},
		{"proc/meminfo", "MemTotal: much kB\n", "/proc/meminfo", func(i Info) bool { return i.Memory == nil }},
		{"proc/meminfo", "MemTotal: 1 kB\nMemAvailable: 2 kB\n", "/proc/meminfo", func(i Info) bool { return i.Memory == nil }},
		{"proc/pressure/io", "full avg10=1\n", "/proc/pressure/io", func(i Info) bool { return i.Pressure == nil }},
		{"proc/pressure/io", "-", "", func(i Info) bool { return i.Pressure == nil }},
		{"etc/default/keyboard", "XKBLAYOUT=$(reboot)\nXKBMODEL=pc105\n", "/etc/default/keyboard: XKBLAYOUT=", func(i Info) bool { return i.Keyboard.Layout == "" }},
		{"etc/default/keyboard", "-", "", func(i Info) bool { return i.Keyboard == nil }},
		{"etc/default/locale", "LANG=xx_YY.UTF-8\n", "/etc/default/locale: the locale xx_YY.UTF-8 does not exist", func(i Info) bool { return i.Languages[0] == "C.UTF-8" }},
		{"etc/default/locale", "LANG=de_DE\n", "/etc/default/locale: the locale de_DE does not exist", func(i Info) bool { return i.Languages[0] == "C.UTF-8" }},
		{"etc/default/locale", "LANG=C\n", "", func(i Info) bool { return i.Languages[0] == "C.UTF-8" }},
		{"usr/share/xsessions/xfce.desktop", "[Desktop Entry]\nName=No command\n", "usr/share/xsessions/xfce.desktop: no Exec", func(i Info) bool { return len(i.Sessions) == 1 }},
	} {
		got := source(t, map[string]string{tt.file: tt.text}).Get(t.Context())
		said := errors.Join(got.Problems...)
		if tt.problem == "" && said != nil || tt.problem != "" && (said == nil || len(got.Problems) != 1 || !strings.Contains(said.Error(), tt.problem)) {
			t.Errorf("%s: problems %v, want %q", tt.file, said, tt.problem)
		}
		if !tt.lost(got) {
			t.Errorf("%s: %+v", tt.file, got.Info)
		}
		left := 0
		for _, there := range []bool{got.Load != nil, got.Memory != nil, got.Pressure != nil, got.Keyboard != nil, len(got.Sessions) == 2, len(got.Languages) == 4} {
			if there {
				left++
			}
		}
		if left < 5 || got.Rating < 0 {
			t.Errorf("%s: more is missing than that: %+v", tt.file, got.Info)
		}
	}
}

func TestSessionsCannotBeCounted(t *testing.T) {
	s := source(t, nil)
	s.Running = func(context.Context) (int, error) { return 0, errors.New("no /proc") }
	got := s.Get(t.Context())
	if said := errors.Join(got.Problems...); said == nil || said.Error() != "running sessions: no /proc" || got.Running != infowire.Unknown || got.Rating < 0 {
		t.Errorf("problems %v, %+v", said, got.Info)
	}
}

func TestLocaleProgramFails(t *testing.T) {
	s := source(t, nil)
	s.Locales = func(context.Context) ([]byte, error) { return nil, errors.New("locale -a: not found") }
	got := s.Get(t.Context())
	if said := errors.Join(got.Problems...); said == nil || !strings.Contains(said.Error(), "locale -a: not found") || len(got.Sessions) != 2 {
		t.Errorf("problems %v, %+v", said, got.Info)
	}
}

func TestLocalesAreBounded(t *testing.T) {
	l := &limited{room: 10}
	if n, err := l.Write([]byte("12345678")); n != 8 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := l.Write([]byte("345")); err == nil {
		t.Error("no error over the bound")
	}
	long := strings.Repeat("x", maxLocale)
	if got := parseLocales([]byte("de_DE.utf8\n../../etc.utf8\n.utf8\nde DE.utf8\nde_DE.utf8@\n" + long + ".utf8\n\x00.utf8\nde_AT.UTF-8\n")); !cmp.Equal(got, []string{"de_AT.UTF-8", "de_DE.UTF-8"}) {
		t.Errorf("%q", got)
	}
}

// This computer has what every Linux has.
func TestThisComputer(t *testing.T) {
	i := New(Config{}).Get(t.Context())
	if i.Load == nil || i.Memory == nil || i.Running < 0 || i.Rating < 0 || i.Rating > 100 {
		t.Errorf("%+v; problems: %v", i.Info, i.Problems)
	}
}
