package probe

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"goldm/ldm/wire"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEgf+DC0Lpqq+8f0+JzDH2hT5nKd3cTdVU1ocM1hFFm"

func TestDiscovery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_hosts")
	lines := "one " + someKey + "\ntwo,[two]:2222 " + someKey + "\n@cert-authority * " + someKey + "\n*.example " + someKey + "\n"
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if d, err := newDiscovery(&wire.Watch{Servers: []string{"one"}, KnownHosts: []string{path}}, log); d != nil || err != nil {
		t.Errorf("without being asked: %v, %v", d, err)
	}
	d, err := newDiscovery(&wire.Watch{Servers: []string{"One"}, Discover: true, KnownHosts: []string{path}}, log)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"one", false}, // listed
		{"two", true},
		{"TWO", false}, // again
		{"two:22", false},
		{"two:2222", true},
		{"two:2223", false},
		{"three", false}, // an authority's word is not enough
		{"a.example", false},
		{"", false},
		{"-oProxyCommand=x", false},
		{"x:y:z", false},
		{"a/b", false},
	} {
		if got := d.take(tt.name, "one"); got != tt.want {
			t.Errorf("%q: %v", tt.name, got)
		}
	}
}
