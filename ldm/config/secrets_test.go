package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Secrets that others can read, and files that others can change, are told; what is safe is not.
func TestAttackSecrets(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the files have to be root's")
	}
	for name, tt := range map[string]struct {
		text  string
		mode  fs.FileMode
		spoil func(dir, file string) error
		want  []string // a part of each warning
	}{
		"readable":      {"[a]\n\nLDM_PASSWORD=x", 0o644, nil, []string{":3: LDM_PASSWORD is a secret and others can read it (mode 0644)"}},
		"by a group":    {"LDM_PASSWORD=x", 0o640, nil, []string{"mode 0640"}},
		"LTSP's own":    {"PASSWORDS_LAB='u/p'", 0o644, nil, []string{"PASSWORDS_LAB"}},
		"another's":     {"WIFI_SECRET=x", 0o604, nil, []string{"WIFI_SECRET"}},
		"root's alone":  {"LDM_PASSWORD=x", 0o600, nil, nil},
		"no secret":     {"LDM_SERVER=x", 0o644, nil, nil},
		"empty":         {"LDM_PASSWORD=", 0o644, nil, nil},
		"a shut folder": {"LDM_PASSWORD=x", 0o644, func(dir, _ string) error { return os.Chmod(dir, 0o700) }, nil},
		"a link": {"LDM_PASSWORD=x", 0o600, func(dir, file string) error {
			if err := os.WriteFile(dir+"/real", []byte("LDM_PASSWORD=x"), 0o644); err != nil {
				return err
			}
			os.Remove(file)
			return os.Symlink(dir+"/real", file)
		}, []string{"/real"}},
		"writable":          {"LDM_SERVER=x", 0o666, nil, []string{"has mode 0666"}},
		"another's file":    {"LDM_SERVER=x", 0o644, func(_, file string) error { return os.Chown(file, 54321, 0) }, []string{"the user number 54321"}},
		"a writable folder": {"LDM_SERVER=x", 0o644, func(dir, _ string) error { return os.Chmod(dir, 0o777) }, []string{"has mode 0777"}},
		"another's folder":  {"LDM_SERVER=x", 0o644, func(dir, _ string) error { return os.Chown(dir, 54321, 0) }, []string{"the user number 54321"}},
		"all of it":         {"LDM_PASSWORD=x", 0o666, nil, []string{"is a secret", "has mode 0666"}},
	} {
		top, err := os.MkdirTemp("/tmp", "config")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(top)
		dir := filepath.Join(top, "ltsp")
		file := filepath.Join(dir, "ltsp.conf")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(os.Chmod(top, 0o755))
		must(os.Mkdir(dir, 0o755))
		must(os.WriteFile(file, []byte(tt.text+"\n"), 0o600))
		must(os.Chmod(file, tt.mode))
		if tt.spoil != nil {
			must(tt.spoil(dir, file))
		}
		s, err := Load([]string{file}, Client{})
		must(err)
		if len(s.Problems) != 0 {
			t.Errorf("%s: problems: %v", name, s.Problems)
		}
		var got []string
		for _, w := range s.Warnings {
			got = append(got, w.String())
		}
		if len(got) != len(tt.want) || slices.ContainsFunc(got, func(w string) bool { return strings.Contains(w, "geheim") }) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, part := range tt.want {
			if !strings.Contains(got[i], part) {
				t.Errorf("%s: %q lacks %q", name, got[i], part)
			}
		}
	}
}
