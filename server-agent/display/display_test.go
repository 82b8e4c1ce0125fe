package display

import (
	"bufio"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test program is also a display, which a test kills.
func TestMain(m *testing.M) {
	if os.Getenv("DISPLAY_TEST") == "" {
		os.Exit(m.Run())
	}
	d, err := Open([]byte("0123456789abcdef"), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	d.beat = testBeat
	ended := make(chan struct{})
	d.Follow(func() { close(ended) })
	os.Stdout.WriteString(d.Authority() + " " + d.Addr().String() + "\n")
	<-ended
	d.Close()
}

// shown is a display in a process of its own.
type shown struct {
	t         *testing.T
	cmd       *exec.Cmd
	authority string
	socket    string
}

// runtimeDir is a user's runtime directory as it should be.
func runtimeDir(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, runtime string) *shown {
	t.Helper()
	s := &shown{t: t, cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), "DISPLAY_TEST=yes", "XDG_RUNTIME_DIR="+runtime, "GORACE=atexit_sleep_ms=0")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if err := Remove(s.env()); err != nil {
			t.Error(err)
		}
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	var ok bool
	if s.authority, s.socket, ok = strings.Cut(strings.TrimSpace(line), " "); !ok {
		t.Fatalf("it says %q", line)
	}
	return s
}

func (s *shown) env() []string { return []string{"HOME=/", "XAUTHORITY=" + s.authority} }

func (s *shown) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// gone checks that nothing is left.
func (s *shown) gone() {
	s.t.Helper()
	for _, path := range []string{filepath.Dir(s.authority), s.socket} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			s.t.Errorf("%s is there: %v", path, err)
		}
	}
}

func held(t *testing.T, s *shown) *Held {
	t.Helper()
	h, err := Hold(s.env())
	if err != nil || h == nil {
		t.Fatal(h, err)
	}
	return h
}

func TestSessionEnds(t *testing.T) {
	s := start(t, runtimeDir(t))
	info, err := os.Stat(s.authority)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Remove(s.env()); err != nil { // it lives
		t.Error(err)
	}
	h := held(t, s)
	if h.IsGone() {
		t.Error("it has gone")
	}
	h.Release()
	s.gone()
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := Remove(s.env()); err != nil {
		t.Error(err)
	}
}

const testBeat = 200 * time.Millisecond

// A display that is stopped ends its session, and is killed; and a session that ends does not leave it.
func TestAttackStoppedDisplay(t *testing.T) {
	s := start(t, runtimeDir(t))
	h, err := hold(s.env(), testBeat)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * testBeat)
	if h.IsGone() {
		t.Fatal("it is taken for one that hangs")
	}
	s.stop()
	select {
	case <-h.Gone():
	case <-time.After(time.Minute):
		t.Fatal("nobody notices")
	}
	h.Release()
	s.cmd.Wait()
	if err := Remove(s.env()); err != nil {
		t.Error(err)
	}
	s.gone()

	s = start(t, runtimeDir(t))
	h = held(t, s)
	s.stop()
	h.Release()
	s.cmd.Wait()
	if err := Remove(s.env()); err != nil {
		t.Error(err)
	}
	s.gone()
}

func (s *shown) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
}

func TestDisplayIsKilled(t *testing.T) {
	s := start(t, runtimeDir(t))
	h := held(t, s)
	s.kill()
	<-h.Gone()
	h.Release()
	if _, err := os.Lstat(s.socket); err != nil {
		t.Errorf("nothing is left to remove: %v", err)
	}
	if err := Remove(s.env()); err != nil {
		t.Error(err)
	}
	s.gone()
}

// Without a session the next display removes what is left, but nothing young or alive.
func TestStale(t *testing.T) {
	runtime := runtimeDir(t)
	young, dead, alive := start(t, runtime), start(t, runtime), start(t, runtime)
	young.kill()
	dead.kill()
	old := time.Now().Add(-time.Hour)
	for _, s := range []*shown{dead, alive} {
		if err := os.Chtimes(filepath.Dir(s.authority), old, old); err != nil {
			t.Fatal(err)
		}
	}
	start(t, runtime) // which may take the number that it makes free
	if _, err := os.Lstat(filepath.Dir(dead.authority)); !os.IsNotExist(err) || isDead(dead.socket) {
		t.Errorf("what is dead is there: %v", err)
	}
	for _, s := range []*shown{young, alive} {
		if _, err := os.Lstat(s.socket); err != nil {
			t.Error(err)
		}
	}
	held(t, alive).Release()
}

// A runtime directory that is no good is not needed.
func TestOtherFolder(t *testing.T) {
	for _, runtime := range []string{"", "relative", "/nonexistent", "/proc", filepath.Join(t.TempDir(), strings.Repeat("x", 100))} {
		if strings.HasPrefix(runtime, os.TempDir()) {
			if err := os.Mkdir(runtime, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, runtime)
		if !strings.HasPrefix(s.authority, "/tmp/"+prefix) {
			t.Errorf("%s: %s", runtime, s.authority)
		}
		held(t, s).Release()
		s.gone()
	}
}

// Nothing but what is a display's folder is held or removed, and no socket that is no display's.
func TestNotOurs(t *testing.T) {
	for _, env := range [][]string{nil, {"XAUTHORITY=/home/anna/.Xauthority"}, {"XAUTHORITY=" + prefix + "x/Xauthority"}, {"XAUTHORITY=/x/Xauthority"}, {"XAUTHORITY="}} {
		h, err := Hold(env)
		if h != nil || err != nil || h.IsGone() {
			t.Errorf("%q: %v, %v", env, h, err)
		}
		h.Release()
		if err := Remove(env); err != nil {
			t.Errorf("%q: %v", env, err)
		}
	}
	parent := t.TempDir()
	folder := filepath.Join(parent, prefix+"x")
	env := []string{"XAUTHORITY=" + filepath.Join(folder, authorityName)}
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Remove(env); err == nil {
		t.Error("a folder for others is removed")
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(parent, "X1") // a dead socket of somebody else's
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: other})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	if err := os.Symlink(other, filepath.Join(folder, linkName)); err != nil {
		t.Fatal(err)
	}
	if h, err := Hold(env); err == nil {
		t.Errorf("held: %v", h)
	}
	if err := Remove(env); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(other); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
	if err := os.Symlink(parent, folder); err != nil {
		t.Fatal(err)
	}
	if err := Remove(env); err == nil {
		t.Error("a link is followed")
	}
	if info, err := os.Lstat(parent); err != nil || info.Mode()&fs.ModeDir == 0 {
		t.Error(err)
	}
}
