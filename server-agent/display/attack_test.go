package display

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goldm/internal/peer/peertest"
)

// A runtime directory that others own, can write to or have put a link in place of is not used.
func TestAttackRuntimeDirectory(t *testing.T) {
	peertest.NeedRoot(t)
	for name, spoil := range map[string]func(path string) error{
		"another's":             func(path string) error { return os.Chown(path, peertest.Stranger, -1) },
		"a group's":             func(path string) error { return os.Chmod(path, 0o770) },
		"everybody's":           func(path string) error { return os.Chmod(path, 0o777) },
		"a link to the user's":  func(path string) error { return relink(path, runtimeDir(t)) },
		"a link to another's":   func(path string) error { return relink(path, "/home") },
		"everybody's, as /tmp ": func(path string) error { return os.Chmod(path, 0o777|os.ModeSticky) },
	} {
		runtime := filepath.Join(t.TempDir(), "runtime")
		if err := os.Mkdir(runtime, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := spoil(runtime); err != nil {
			t.Fatal(err)
		}
		s := start(t, runtime)
		if !strings.HasPrefix(s.authority, "/tmp/"+prefix) {
			t.Errorf("%s: the cookie is in %s", name, s.authority)
		}
		held(t, s).Release()
		s.gone()
	}
}

func relink(path, to string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(to, path)
}

// Where /tmp is no better there is no display, and the reason names the folder.
func TestAttackTemporaryFolder(t *testing.T) {
	peertest.NeedRoot(t)
	for name, spoil := range map[string]string{
		"not sticky": "chmod 0777 /tmp",
		"another's":  "chown 54321 /tmp",
	} {
		// In a mount namespace of its own, with the X servers' folder that it should have.
		script := "mount -t tmpfs -o mode=1777 tmpfs /tmp && mkdir -m 1777 /tmp/.X11-unix && " + spoil + ` && exec "$0"`
		self, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		program := filepath.Join("/var/tmp", filepath.Base(t.TempDir())+"-display.test")
		if err := os.WriteFile(program, self, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(program)
		c := exec.Command("unshare", "--mount", "sh", "-c", script, program)
		c.Env = append(os.Environ(), "DISPLAY_TEST=yes", "XDG_RUNTIME_DIR=", "GORACE=atexit_sleep_ms=0")
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "/tmp") || strings.Contains(string(out), authorityName) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// Another user's connection holds no display and ends none.
func TestAttackHold(t *testing.T) {
	peertest.NeedRoot(t)
	s := start(t, runtimeDir(t))
	folder := filepath.Dir(s.authority)
	for _, path := range []string{filepath.Dir(folder), folder} { // as if the folder were not private
		if err := os.Chmod(path, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	peertest.Open(t, filepath.Join(folder, socketName))
	openUp(t, filepath.Dir(filepath.Dir(folder)))
	for range 100 {
		peertest.MustDial(t, peertest.Stranger, filepath.Join(folder, socketName)).Close()
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	h := held(t, s)
	if h.IsGone() {
		t.Error("the display has ended")
	}
	h.Release()
	s.gone()
}

// openUp lets all users pass a test's folders.
func openUp(t *testing.T, path string) {
	t.Helper()
	for ; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o711); err != nil {
			t.Fatal(err)
		}
	}
}

// A display is not held through another user's socket.
func TestAttackOtherSocket(t *testing.T) {
	peertest.NeedRoot(t)
	folder := filepath.Join(runtimeDir(t), prefix+"x")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(folder, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chown(folder, peertest.Stranger, peertest.Stranger); err != nil {
		t.Fatal(err)
	}
	if h, err := Hold([]string{"XAUTHORITY=" + filepath.Join(folder, authorityName)}); h != nil || err == nil {
		t.Errorf("held: %v", err)
	}
}
