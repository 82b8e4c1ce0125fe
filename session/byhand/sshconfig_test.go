package byhand

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sshConfig = `# mine
Host school
    HostName ltsp.school.example
    User=anna
    Port 2222
    IdentityFile ~/.ssh/school
    IdentityFile %d/.ssh/%r@%h

Host *.example
    HostName %h.net

Host strict
    IdentitiesOnly Yes
    PKCS11Provider /usr/lib/token.so

Host lax
    IdentitiesOnly no
    PKCS11Provider none
`

var compare = cmp.AllowUnexported(hostConfig{})

func TestHostConfig(t *testing.T) {
	for alias, want := range map[string]hostConfig{
		"school":    {host: "ltsp.school.example", user: "anna", port: 2222, identities: []string{"~/.ssh/school", "%d/.ssh/%r@%h"}},
		"a.example": {host: "a.example.net"},
		"strict":    {identitiesOnly: true, pkcs11: "/usr/lib/token.so"},
		"lax":       {},
		"other":     {},
	} {
		for name, content := range map[string]string{
			"plain":      sshConfig,
			"with Match": "Match exec \"test -f /x\"\n    User wrong\n" + sshConfig + "Match final tagged x\n    Port 1\n",
		} {
			got, err := parseHostConfig([]byte(content), alias)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(want, got, compare); d != "" {
				t.Errorf("%s, %s: %s", alias, name, d)
			}
		}
	}
}

func TestHostConfigBad(t *testing.T) {
	for _, content := range []string{"Host x\nPort ssh\n", "Host x\nPort 99999\n"} {
		if got, err := parseHostConfig([]byte(content), "x"); err == nil {
			t.Errorf("%q: %+v, want an error", content, got)
		}
	}
}

func TestHostConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if got, err := readHostConfig(path, "school"); err != nil || got.host != "" {
		t.Errorf("no file: %+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte(sshConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readHostConfig(path, "school"); err != nil || got.user != "anna" {
		t.Errorf("a file: %+v, %v", got, err)
	}
}

func TestExpand(t *testing.T) {
	for path, want := range map[string]string{
		"~/.ssh/x":        "/home/me/.ssh/x",
		"%d/k-%u-%r@%h%%": "/home/me/k-me-anna@server%",
		"/k":              "/k",
	} {
		if got := expand(path, "/home/me", "me", "anna", "server"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func FuzzHostConfig(f *testing.F) {
	f.Add([]byte(sshConfig), "school")
	f.Add([]byte("Match exec x\nHost \"a b\" !c\nPort=2\n"), "a")
	f.Fuzz(func(t *testing.T, content []byte, alias string) {
		h, err := parseHostConfig(content, alias)
		if err == nil && (h.port < 0 || h.port > 65535) {
			t.Errorf("port %d", h.port)
		}
	})
}
