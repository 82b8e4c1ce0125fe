package testbed

import (
	"os"
	"os/exec"
	"testing"
)

// Need skips a test that two machines cannot be had for, and says why. In
// continuous integration (CI=true) nothing skips: there it fails.
func Need(t testing.TB) {
	t.Helper()
	give := t.Skipf
	if os.Getenv("CI") == "true" {
		give = t.Fatalf
	}
	if os.Geteuid() != 0 {
		give("two machines on one need root: run the tests as root, or by sudo, for this one too")
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		give("two machines on one need Debian's package mmdebstrap, which make test installs")
	}
}

// Start is New for a test: the machines end with it.
func Start(t testing.TB, c Config) *Bed {
	t.Helper()
	Need(t)
	bed, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.Close(); err != nil {
			t.Error(err)
		}
	})
	return bed
}
