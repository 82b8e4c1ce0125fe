package sessions

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A user that holds a lock on another's home, which everybody may look into, keeps no login out.
func TestAttackLock(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o755); err != nil {
		t.Fatal(err)
	}
	stranger, err := os.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := unix.Flock(int(stranger.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lock, err := Lock(ctx, "/nonexistent", home)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 3*lookInterval)
	defer cancel()
	if second, err := Lock(short, "/nonexistent", home); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second login of the user: %v, %v", second, err)
	}
	lock.Close()
	info, err := os.Stat(filepath.Join(home, lockFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// The lock's file cannot be led elsewhere.
func TestAttackLockFile(t *testing.T) {
	home := t.TempDir()
	other := filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.Chmod(home, 0o755), os.Symlink(other, filepath.Join(home, lockFile))); err != nil {
		t.Fatal(err)
	}
	if lock, err := Lock(t.Context(), "/nonexistent", home); err == nil {
		lock.Close()
		t.Error("a link is followed")
	}
	if _, err := os.Lstat(other); !os.IsNotExist(err) {
		t.Error("a file was made elsewhere")
	}
}

// One user's processes that look like sessions hide no other user's.
func TestAttackList(t *testing.T) {
	var found []process
	for range 2 * maxList {
		found = append(found, process{uid: 1})
	}
	found = append(found, process{uid: 2})
	list := listed(found)
	if len(list) != maxListUser+1 || list[maxListUser].uid != 2 {
		t.Errorf("%d listed", len(list))
	}
}

// A temporary folder that is not safe gets no session's folder.
func TestAttackTemporary(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if os.Getenv("SESSIONS_TEST_TMP") != "" {
		if f, err := MakeFolder("id", "/nonexistent"); f.Path != "" || err == nil {
			t.Errorf("made: %+v, %v", f, err)
		}
		return
	}
	for name, spoil := range map[string]string{"not sticky": "chmod 0777", "another's": "chown 54321"} {
		script := "mount -t tmpfs -o mode=1777 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /var/tmp && " +
			"mount -t tmpfs -o mode=1777 tmpfs /mnt && cp \"$0\" /mnt/test && mount -t tmpfs -o mode=1777 tmpfs /tmp && " +
			spoil + ` /tmp /var/tmp && exec /mnt/test -test.run '^TestAttackTemporary$'`
		c := exec.Command("unshare", "--mount", "sh", "-c", script, os.Args[0])
		c.Env = append(os.Environ(), "SESSIONS_TEST_TMP=yes")
		c.Dir = "/"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
