package testbed

import (
	"testing"
	"testing/fstest"
)

func TestHostSources(t *testing.T) {
	apt := fstest.MapFS{
		"sources.list": {Data: []byte(`# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian.gpg] http://a.example/debian bookworm main contrib
deb-src http://a.example/debian bookworm main
deb http://security.example bookworm-security main # the comment
deb http://backports.example/debian bookworm-backports main
`)},
		"sources.list.d/debian.sources": {Data: []byte(`Types: deb deb-src
# a comment
URIs: http://b.example/debian
Suites: stable stable-updates
Components: main
  non-free
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: https://other.example
Suites: nodistro
Components: main
`)},
		"sources.list.d/backup.list~": {Data: []byte("deb http://old.example bookworm main\n")},
	}
	got, err := hostSources(apt, "trixie")
	if err != nil {
		t.Fatal(err)
	}
	want := `deb [signed-by=/usr/share/keyrings/debian.gpg] http://a.example/debian trixie main
deb http://security.example trixie-security main
deb http://b.example/debian trixie main
deb http://b.example/debian trixie-updates main
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, err := hostSources(fstest.MapFS{}, "trixie"); got != "" || err != nil {
		t.Errorf("without sources: %q, %v", got, err)
	}
}
