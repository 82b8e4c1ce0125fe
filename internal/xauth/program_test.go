package xauth_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

// TestProgram lets xauth(1) read what we write, and reads what it writes.
func TestProgram(t *testing.T) {
	xtest.Need(t, "xauth")
	var out bytes.Buffer
	written := []xauth.Entry{
		{Family: xauth.Local, Address: []byte("client1"), Number: "0", Name: xauth.MITMagicCookie, Data: xauth.NewCookie()},
		{Family: xauth.Internet, Address: []byte{192, 0, 2, 7}, Number: "10", Name: xauth.MITMagicCookie, Data: xauth.NewCookie()},
		{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: xauth.NewCookie()},
	}
	if err := xauth.Write(&out, written); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(t.TempDir(), "ours")
	if err := os.WriteFile(ours, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	list := runXauth(t, ours, "-n", "list")
	for _, line := range []string{
		"client1/unix:0  MIT-MAGIC-COOKIE-1  " + hex.EncodeToString(written[0].Data),
		"192.0.2.7:10  MIT-MAGIC-COOKIE-1  " + hex.EncodeToString(written[1].Data),
		"MIT-MAGIC-COOKIE-1  " + hex.EncodeToString(written[2].Data),
	} {
		if !strings.Contains(list, line) {
			t.Errorf("xauth does not list %q:\n%s", line, list)
		}
	}

	theirs := filepath.Join(t.TempDir(), "theirs")
	cookie := xauth.NewCookie()
	runXauth(t, theirs, "add", "client2/unix:3", xauth.MITMagicCookie, hex.EncodeToString(cookie))
	runXauth(t, theirs, "add", "192.0.2.9:3", ".", hex.EncodeToString(cookie))
	got, err := xauth.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	want := []xauth.Entry{
		{Family: xauth.Local, Address: []byte("client2"), Number: "3", Name: xauth.MITMagicCookie, Data: cookie},
		{Family: xauth.Internet, Address: []byte{192, 0, 2, 9}, Number: "3", Name: xauth.MITMagicCookie, Data: cookie},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func runXauth(t *testing.T, file string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "xauth", append([]string{"-f", file}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("xauth %v: %v\n%s", args, err, out)
	}
	return string(out)
}
