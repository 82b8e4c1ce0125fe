package hostkeys

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

const (
	ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEgf+DC0Lpqq+8f0+JzDH2hT5nKd3cTdVU1ocM1hFFm"
	other   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEgf+DC0Lpqq+8f0+JzDH2hT5nKd3cTdVU1ocM1hFFn"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLines(t *testing.T) {
	dir := folder(t, map[string]string{
		"ssh_host_ed25519_key.pub":      ed25519 + " root@server\n",
		"ssh_host_second_key.pub":       other + "\n",
		"ssh_host_dsa_key.pub":          "ssh-dss AAAAB3NzaC1kc3M= root@server\n",
		"ssh_host_ed25519_key-cert.pub": "no key",
		"ssh_host_ed25519_key":          "secret",
	})
	for _, tt := range []struct {
		names []string
		port  int
		want  string
	}{
		{[]string{"Server", "192.0.2.1", "2001:DB8::1"}, 22, "server,192.0.2.1,2001:db8::1"},
		{[]string{"server", "2001:db8::1"}, 2222, "[server]:2222,[2001:db8::1]:2222"},
	} {
		got, err := Lines(dir, tt.names, tt.port)
		if want := tt.want + " " + ed25519 + "\n" + tt.want + " " + other + "\n"; err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", tt.names, got, err, want)
		}
	}
}

// The fingerprints are ssh-keygen's.
func TestFingerprints(t *testing.T) {
	dir := folder(t, map[string]string{"ssh_host_ed25519_key.pub": ed25519 + "\n"})
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(ed25519))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Fingerprints(dir)
	if want := []string{ssh.FingerprintSHA256(key)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if got, err := Fingerprints(t.TempDir()); err == nil {
		t.Errorf("without keys: %q", got)
	}
}

// What is printed lets a client in that reads it with the library.
func TestLinesAreKnownHosts(t *testing.T) {
	text, err := Lines(folder(t, map[string]string{"ssh_host_ed25519_key.pub": ed25519}), []string{"server"}, 2222)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check, err := knownhosts.New(path)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(ed25519))
	if err != nil {
		t.Fatal(err)
	}
	if err := check("server:2222", new(net.TCPAddr), key); err != nil {
		t.Error(err)
	}
}

func TestBadNames(t *testing.T) {
	dir := folder(t, map[string]string{"ssh_host_ed25519_key.pub": ed25519})
	for _, name := range []string{"", " ", "a b", "a,b", "*", "!server", "|1|a|b", "@revoked", "#", "-x", "server\nevil", "[server]", "server:22", "fe80::1%eth0", "sérver", strings.Repeat("a", 254)} {
		if text, err := Lines(dir, []string{name}, 22); err == nil {
			t.Errorf("%q: %q, want an error", name, text)
		}
	}
	if _, err := Lines(dir, nil, 22); err == nil {
		t.Error("no name: no error")
	}
}

func TestBadKeys(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"none":       {},
		"empty":      {"ssh_host_a_key.pub": ""},
		"text":       {"ssh_host_a_key.pub": "not a key"},
		"other type": {"ssh_host_a_key.pub": strings.Replace(ed25519, "ssh-ed25519 ", "ssh-rsa ", 1)},
		"cut":        {"ssh_host_a_key.pub": "ssh-ed25519 AAAA"},
	} {
		if text, err := Lines(folder(t, files), []string{"server"}, 22); err == nil {
			t.Errorf("%s: %q, want an error", name, text)
		}
	}
}

func TestNames(t *testing.T) {
	names, err := Names(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil || names[0] != host {
		t.Errorf("%q, %v; want %s first", names, err, host)
	}
	if slices.Contains(names, "127.0.0.1") || slices.Contains(names, "::1") {
		t.Errorf("%q has addresses that every computer has", names)
	}
	if got := unique([]string{"a", "A", "b", "a"}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("unique: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(ed25519 + " root@server\n"))
	f.Add([]byte("ssh-rsa AAAA\nssh-rsa"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if line, err := parse(text); err == nil && (strings.ContainsAny(line, "\n\r\x00") || len(strings.Fields(line)) != 2) {
			t.Errorf("%q from %q", line, text)
		}
	})
}
