package sessions

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runtimeDir makes a runtime directory, with a path short enough for sockets.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "runtime-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// The folder is in the runtime directory if that is as it should be, and then
// that stays; else the error says what is wrong, and the session has its own.
func TestMakeFolder(t *testing.T) {
	good := runtimeDir(t)
	open := runtimeDir(t)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(good, "link")
	if err := os.Symlink(runtimeDir(t), link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(good, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ runtime, wrong string }{
		"good":     {good, ""},
		"none":     {"", ""},
		"missing":  {"/nonexistent/runtime", "runtime directory /nonexistent/runtime: no such file or directory"},
		"readable": {open, "mode 0755, not 0700"},
		"link":     {link, "not a directory"},
		"file":     {file, "not a directory"},
		"relative": {"run", "not a plain path"},
		"odd":      {good + "/../x y", "not a plain path"},
		"long":     {"/" + strings.Repeat("x", 100), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			id := rand.Text()
			f, err := MakeFolder(id, tt.runtime)
			t.Cleanup(func() { RemoveFolder(id, tt.runtime) })
			if err == nil && tt.wrong != "" || err != nil && (tt.wrong == "" || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
			if name == "good" && (f.Runtime != good || filepath.Dir(f.Path) != good) {
				t.Errorf("%+v", f)
			}
			for _, path := range []string{f.Path, f.Runtime} {
				if err := CheckPrivate(path); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
			if err := os.WriteFile(filepath.Join(f.Path, "file"), nil, 0o400); err != nil {
				t.Error(err)
			}
			if err := RemoveFolder(id, tt.runtime); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(f.Path); !os.IsNotExist(err) {
				t.Errorf("the folder is still there: %v", err)
			}
			if err := RemoveFolder(id, tt.runtime); err != nil {
				t.Errorf("removed again: %v", err)
			}
		})
	}
}

// What a session leaves that was killed with its keeper, the next one ends and removes.
func TestRemoveStale(t *testing.T) {
	runtime := runtimeDir(t)
	dead := func(name string) string {
		path := filepath.Join(runtime, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "bus"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	left, kept, lives := rand.Text(), rand.Text(), rand.Text()
	stale, other, keeps, wraps := dead(prefix+left), dead("other"), dead(prefix+kept), dead(prefix+lives)
	alive, err := MakeFolder(rand.Text(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	stubborn := stand(t, "icewm", "trap '' TERM", IDVariable+"="+left)
	for name, id := range map[string]string{Keeper: kept, Wrapper: lives, "mate-session": kept, "a bystander": rand.Text()} {
		pid := stand(t, name, "", IDVariable+"="+id).Process.Pid
		defer func() {
			if !ofSession(pid, id) {
				t.Errorf("%s has ended", name)
			}
		}()
	}
	if err := RemoveStale(runtime); err != nil {
		t.Error(err)
	}
	if status := reaped(t, stubborn); status != syscall.SIGKILL {
		t.Errorf("what was left ends by %v", status)
	}
	for path, stays := range map[string]bool{stale: false, other: true, alive.Path: true, keeps: true, wraps: true} {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", path, err)
		}
	}
	alive.lock.Close()
	if err := RemoveFolder(strings.TrimPrefix(filepath.Base(alive.Path), prefix), runtime); err != nil {
		t.Error(err)
	}
}

// reaped waits for a process and returns the signal that ended it.
func reaped(t *testing.T, cmd *exec.Cmd) syscall.Signal {
	t.Helper()
	state, err := cmd.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return state.Sys().(syscall.WaitStatus).Signal()
}

// Whatever a session's programs put in the place of the file that says who ended it: nobody
// waits for it, or writes elsewhere.
func TestEndedFrom(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(path string) error{
		"a link": func(path string) error { return os.Symlink(elsewhere, path) },
		"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a pipe with a writer": func(path string) error {
			err := syscall.Mkfifo(path, 0o600)
			f, openErr := os.OpenFile(path, os.O_RDWR, 0)
			t.Cleanup(func() { f.Close() })
			return errors.Join(err, openErr)
		},
	} {
		f := Folder{Path: runtimeDir(t)}
		path := filepath.Join(f.Path, endedBy)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		if err, from := tell(path, "station-12"), f.EndedFrom(); err == nil || from != "" {
			t.Errorf("%s: ended from %q, %v", name, from, err)
		}
	}
	f := Folder{Path: runtimeDir(t)}
	if err, from := tell(filepath.Join(f.Path, endedBy), "station-12\n"), f.EndedFrom(); err != nil || from != "station-12" {
		t.Errorf("ended from %q, %v", from, err)
	}
	if got, err := os.ReadFile(elsewhere); err != nil || string(got) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
}
