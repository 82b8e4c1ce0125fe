package status

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); !errors.Is(err, errNotRunning) {
		t.Errorf("without a file: %v", err)
	}
	want := Status{
		Seat: "seat0", State: "running", User: "anna", Server: "one", Since: time.Unix(1800000000, 0).UTC(),
		Display: ":0", Problems: []string{"No memory."},
	}
	for range 2 { // it replaces itself
		if err := Write(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(dir)
	want.PID = os.Getpid()
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	text := "seat      seat0\nstate     running\nuser      anna\nserver    one\nsince     " +
		want.Since.Local().Format(time.DateTime) + "\ndisplay   :0\nproblem   No memory.\n"
	if got.String() != text {
		t.Errorf("%s", got)
	}
}

// A user's name is not for everybody.
func TestAttackStatusIsRootsAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	old := syscall.Umask(0) // whatever the umask is
	defer syscall.Umask(old)
	dir, err := os.MkdirTemp("/tmp", "status-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.Chmod(dir, 0o711), Write(dir, Status{User: "anna"})); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("cat", filepath.Join(dir, name))
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 30000, Gid: 30000}}
	if out, err := c.CombinedOutput(); err == nil || strings.Contains(string(out), "anna") {
		t.Errorf("%s, %v", out, err)
	}
}

// A file that is a killed ldm's, or nonsense, is no status; neither is one of a process
// that has the number of the killed one.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for what, pid := range map[string]int{"gone": gone.Process.Pid, "another one": os.Getpid()} {
		text, err := json.Marshal(file{Status{PID: pid}, 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); !errors.Is(err, errNotRunning) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, text := range []string{"", "{", "[]", strings.Repeat("{", 1<<20)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Read(dir); err == nil {
			t.Errorf("%.10q: %v", text, s)
		}
	}
}
