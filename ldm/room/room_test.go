package room

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/internal/supervise"
)

const limit = 30 * time.Second

// The test re-runs itself as what is inside.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "attack" {
		attack(os.Args[2:])
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "room" {
		if err := Main(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var local = privs.User{UID: 39990, GID: 39990}

func open(t *testing.T, change func(*Config)) *Room {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: namespaces are root's to make")
	}
	log := slog.New(slog.DiscardHandler)
	group := supervise.NewGroup(log)
	t.Cleanup(func() { group.Close(0) })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := Config{User: local, Folder: folder(t), Self: []string{"/proc/self/exe", "room"}, Group: group, Log: log, Output: os.Stderr}
	if change != nil {
		change(&c)
	}
	r, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// folder is a login's folder, where rooms do not hide it before they have it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "goldm-room-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// output runs a shell script in the room and returns what it wrote.
func output(t *testing.T, r *Room, script string, c Command) string {
	t.Helper()
	out, _ := begin(t, r, script, c)
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func begin(t *testing.T, r *Room, script string, c Command) (*bufio.Reader, *supervise.Process) {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	out.SetReadDeadline(time.Now().Add(limit))
	c.Name, c.Args, c.Env, c.Output = "script", []string{"sh", "-c", script}, []string{"PATH=/usr/bin:/bin"}, w
	p, err := r.Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(out), p
}

func TestWhatIsInside(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	const script = `id -u; id -g; id -G; grep NoNewPrivs /proc/self/status
		ls -A /tmp /var/tmp /dev/shm /run/lock; ls -A /run/user; stat -c '%a %u' /run/user/39990
		tail -n +3 /proc/net/dev | wc -l; ls -l /proc/self/fd | grep -c -e pidfd -e mnt:; [ -w /proc/1/mem ] || echo closed; ls /dev | tr '\n' ' '`
	want := "39990\n39990\n39990 29\nNoNewPrivs:\t1\n" +
		"/dev/shm:\n\n/run/lock:\n\n/tmp:\n\n/var/tmp:\n39990\n700 39990\n1\n0\nclosed\n" +
		"dri fd full null ptmx pts random shm snd stderr stdin stdout tty urandom zero "
	if got := output(t, r, script, Command{Groups: []int{29}}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := output(t, r, "tail -n +3 /proc/net/dev | wc -l; id -G", Command{Network: true}); got == "1\n39990\n" {
		t.Errorf("no network, although wanted: %s", got)
	}
	if _, err := os.Stat("/run/user/39990"); err == nil {
		t.Error("the runtime folder is to be seen from outside")
	}
}

// A listener arrives as sd_listen_fds(3) has it, and stays open here.
func TestListener(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 2 {
		got := output(t, r, `[ $LISTEN_PID = $$ ] && echo $LISTEN_FDS; readlink /proc/self/fd/3 | cut -d: -f1`, Command{Listener: file})
		if got != "1\nsocket\n" {
			t.Errorf("got %q", got)
		}
	}
}

// Nothing outlives the room, whatever it did to get away.
func TestCloseEndsAll(t *testing.T) {
	r := open(t, nil)
	out, p := begin(t, r, `trap "" TERM; setsid sleep 1000 & setsid sh -c 'trap "" TERM; sleep 1001 & echo up; sleep 1002'`, Command{})
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	r.Close()
	select {
	case <-p.Done():
	default:
		t.Error("the script still runs")
	}
	status, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range status {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "Uid:\t39990") {
			t.Errorf("left: %s", text)
		}
	}
}

// A room's end without Close, as when ldm is killed, ends all too.
func TestHolderEndsAll(t *testing.T) {
	r := open(t, nil)
	out, p := begin(t, r, `echo up; trap "" TERM; sleep 1000; sleep 1000`, Command{})
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	unix.Kill(r.holder.Pid(), unix.SIGKILL)
	select {
	case <-p.Done():
	case <-time.After(limit):
		t.Fatal("the script still runs")
	}
	if _, err := r.Start(Command{Name: "late", Args: []string{"true"}}); err == nil {
		t.Error("a program started in a room that is gone")
	}
	r.Close()
}

func TestRealtime(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	if !MayRaise() {
		t.Skip("needs CAP_SYS_RESOURCE, which a container's root often lacks")
	}
	const script = `grep -E "realtime" /proc/self/limits | tr -s " "`
	want := "Max realtime priority 20 20 \nMax realtime timeout 200000 200000 us \n"
	if got := output(t, r, script, Command{Realtime: true}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A program gets the environment that it was given, and nothing of ours.
func TestEnvironment(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	if got := output(t, r, "exec env", Command{}); !strings.Contains(got, "PATH=") || strings.Contains(got, hurryName) {
		t.Errorf("got %q", got)
	}
}

func TestFolder(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	folder := r.Runtime() + "/own"
	for range 2 {
		if got := output(t, r, "stat -c '%a %u %g' "+folder, Command{Folder: folder}); got != "700 39990 39990\n" {
			t.Errorf("got %q", got)
		}
	}
}

func TestAfter(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	late := r.Runtime() + "/late"
	out, _ := begin(t, r, "echo up", Command{After: []string{late}})
	output(t, r, "sleep 0.2; touch "+late, Command{})
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestOpenGivesUp(t *testing.T) {
	group := supervise.NewGroup(slog.New(slog.DiscardHandler))
	defer group.Close(0)
	for name, self := range map[string][]string{
		"ends": {"/bin/false"}, "hangs": {"/bin/sleep", "1000"}, "missing": {"/nonexistent"}, "says no": {"/bin/sh", "-c", "echo no >&3"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if r, err := Open(ctx, Config{User: local, Folder: t.TempDir(), Self: self, Group: group, Log: slog.New(slog.DiscardHandler)}); err == nil {
			r.Close()
			t.Errorf("%s: no error", name)
		}
		cancel()
	}
}

// Launch knows whether the program runs, and says why not.
func TestLaunch(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	long := strings.Repeat("&", 31<<10)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"/bin/true", long}, ""},
		{[]string{"/nonexistent"}, "no such file"},
		{[]string{"/etc"}, "is a directory"},
		{[]string{"/etc/passwd"}, "permission denied"},
	} {
		p, err := r.Launch(t.Context(), Command{Name: "program", Args: tt.args})
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.20q: %v", tt.args, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%.20q: %v", tt.args, err)
		} else if err := p.Err(); err != nil {
			t.Errorf("%.20q: %v", tt.args, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := r.Launch(ctx, Command{Name: "late", Args: []string{"/bin/true"}, After: []string{"/nonexistent"}}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A program is where its user can be.
func TestDirs(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	for want, dirs := range map[string][]string{
		"/usr\n":            {"/usr", "/etc"},
		"/etc\n":            {closed, "/etc"},
		"/run/user/39990\n": {"/nonexistent", "/bin/sh", r.Runtime()},
		"/\n":               {closed},
	} {
		if got := output(t, r, "pwd", Command{Dirs: dirs}); got != want {
			t.Errorf("%v: got %q, want %q", dirs, got, want)
		}
	}
}

func TestBounded(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	if got := output(t, r, "ulimit -u 2>/dev/null || ulimit -p; cat /proc/self/oom_score_adj", Command{Bounded: true}); got != "4096\n500\n" {
		t.Errorf("got %q", got)
	}
}

func TestUmask(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	if got := output(t, r, "umask", Command{Umask: 0o027}); got != "0027\n" {
		t.Errorf("got %q", got)
	}
}

// X servers are within reach, and no display's place can be taken.
func TestDisplays(t *testing.T) {
	displays := folder(t)
	if err := os.WriteFile(filepath.Join(displays, "X7"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := open(t, func(c *Config) { c.Displays = displays })
	defer r.Close()
	script := "ls -A " + displayDir + "; touch " + displayDir + "/X99 2>&1 | sed 's/.*: //'; rmdir " + displayDir + " 2>&1 | sed 's/.*: //'"
	if got, want := output(t, r, script, Command{}), "X7\nRead-only file system\nOperation not permitted\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
