package session

import (
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestParseServer(t *testing.T) {
	for server, want := range map[string]struct {
		host string
		port int
	}{
		"server":            {"server", 0},
		"server:2222":       {"server", 2222},
		"10.0.0.1:22":       {"10.0.0.1", 22},
		"2001:db8::1":       {"2001:db8::1", 0},
		"[2001:db8::1]":     {"2001:db8::1", 0},
		"[2001:db8::1]:222": {"2001:db8::1", 222},
		"fe80::1%eth0":      {"fe80::1%eth0", 0},
		"schöne.schule":     {"schöne.schule", 0},
	} {
		if host, port, err := ParseServer(server); host != want.host || port != want.port || err != nil {
			t.Errorf("%q: %q, %d, %v", server, host, port, err)
		}
	}
	for _, server := range []string{"", ":22", "server:", "server:0", "server:65536", "server:x", "a b", "a\x00", "a\nb", "a/b", "anna@server", "[::1", "server:1:2]"} {
		if host, port, err := ParseServer(server); err == nil {
			t.Errorf("%q: taken as %q, %d", server, host, port)
		}
	}
}

func TestCiphers(t *testing.T) {
	for aes, first := range map[bool]string{true: ssh.CipherAES128GCM, false: ssh.CipherChaCha20Poly1305} {
		got := ciphers(aes)
		if got[0] != first {
			t.Errorf("AES %v: %q first, want %q", aes, got[0], first)
		}
		if want := slices.Sorted(slices.Values(ssh.SupportedAlgorithms().Ciphers)); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("AES %v: %q, want all of %q", aes, got, want)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add("server:22")
	f.Add("[::1]:22")
	f.Fuzz(func(t *testing.T, server string) {
		host, port, err := ParseServer(server)
		if err == nil && (host == "" || port < 0 || port > 65535) {
			t.Errorf("%q: %q, %d", server, host, port)
		}
	})
}
