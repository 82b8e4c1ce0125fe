package sound

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goldm/internal/peer/peertest"
)

// A runtime directory in which others could replace the socket is not used, and where /tmp is no
// better there is no sound, with a reason.
func TestAttackRuntimeDirectory(t *testing.T) {
	peertest.NeedRoot(t)
	for name, spoil := range map[string]func(path string) error{
		"another's": func(path string) error { return os.Chown(path, peertest.Stranger, -1) },
		"a group's": func(path string) error { return os.Chmod(path, 0o770) },
		"a link": func(path string) error {
			if err := os.Rename(path, path+"2"); err != nil {
				return err
			}
			return os.Symlink(path+"2", path)
		},
	} {
		parent, err := os.MkdirTemp("/tmp", "run-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(parent)
		runtime := filepath.Join(parent, "r")
		if err := os.Mkdir(runtime, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := spoil(runtime); err != nil {
			t.Fatal(err)
		}
		if f := prepare(t, []string{"XDG_RUNTIME_DIR=" + runtime}, ""); filepath.Dir(f.path) != "/tmp" {
			t.Errorf("%s: the folder is %s", name, f.path)
		}
	}
	for name, spoil := range map[string]string{"not sticky": "chmod 0777", "another's": "chown 54321"} {
		script := "mount -t tmpfs -o mode=1777 tmpfs /tmp && " + spoil + ` /tmp && exec sh -c "$0"`
		c := exec.Command("unshare", "--mount", "sh", "-c", script, prepareScript)
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=/nonexistent"}
		c.Stdin = strings.NewReader(string(cookieOf('s')))
		if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "/tmp is safe") {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// Programs without the cookie keep no program out that has it.
func TestAttackStrangers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	conns := daemonFor(t, path)
	log, _ := logged()
	b := newBridge(Daemon{Socket: path, Cookie: cookieOf('d')}, cookieOf('s'), log)
	for range 10 * maxStrangers {
		player(t, t.Context(), b).Write([]byte{0}) // which returns once it has its place
	}
	program := player(t, t.Context(), b)
	if _, err := program.Write(greetingOf(cookieOf('s'))); err != nil {
		t.Fatal(err)
	}
	(<-conns).Close()
}
