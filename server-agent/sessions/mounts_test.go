package sessions

import "testing"

func TestMountPoint(t *testing.T) {
	for line, want := range map[string]string{
		`36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: "/mnt2",
		`36 35 98:0 / /a\040b\134\011c rw - fuse x rw`:                   "/a b\\\tc",
		`36 35 98:0 / /a\ rw - fuse x rw`:                                `/a\`,
		`36 35 98:0 / /a\999 rw - fuse x rw`:                             `/a\999`,
		`36 35 98:0 /`:                                                   "",
		``:                                                               "",
	} {
		if got := mountPoint(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// What is mounted in a folder is never removed with it.
func TestMountsBelow(t *testing.T) {
	if mounts, err := mountsBelow("/proc"); err != nil || len(mounts) == 0 {
		t.Errorf("below /proc: %q, %v", mounts, err)
	}
	if mounts, err := mountsBelow(t.TempDir()); err != nil || len(mounts) > 0 {
		t.Errorf("below an empty folder: %q, %v", mounts, err)
	}
}
