package sessions

import (
	"os"
	"path/filepath"
	"testing"
)

// A user whom only a directory knows has a name in lists too, and one whom nobody knows a number.
func TestUserNames(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$*\" >>" + dir + "/asked\n[ \"$2\" = 4000001 ] && echo school-anna:*:4000001:4000001::/home/anna:/bin/sh\n"
	if err := os.WriteFile(filepath.Join(dir, "getent"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	name := userNames(t.Context())
	for range 2 {
		for uid, want := range map[int]string{0: "root", 4000001: "school-anna", 4000002: "uid 4000002"} {
			if got := name(uid); got != want {
				t.Errorf("user %d is %q, want %q", uid, got, want)
			}
		}
	}
	if asked, err := os.ReadFile(filepath.Join(dir, "asked")); err != nil || len(asked) != 2*len("passwd 4000001\n") {
		t.Errorf("asked for %q, %v", asked, err)
	}
}
