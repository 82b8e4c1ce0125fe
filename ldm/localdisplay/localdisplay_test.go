package localdisplay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
	"goldm/ldm/fence"
	"goldm/ldm/localdisplay"
	"goldm/ldm/wire"
	"goldm/session/filter"
)

const limit = time.Minute

var (
	local    = privs.User{UID: 39993, GID: 39993} // whose programs run
	stranger = 39994
	fenced   = privs.User{UID: 39995, GID: 39995} // the filter's
)

// The test re-runs itself as the fence and as the filter.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "fence":
		err = fence.Main(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "filter":
		var conn *wire.Conn
		if conn, err = wire.Filter(os.NewFile(3, "ldm")); err == nil {
			err = filter.Run(context.Background(), conn, slog.New(slog.NewTextHandler(os.Stderr, nil)))
		}
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// record is a log to look at.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) has(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.text.String(), what)
}

// screen is a display for local programs.
type screen struct {
	*localdisplay.Display
	t      *testing.T
	x      *xtest.Server
	folder string
	log    record
	end    sync.Once
}

func open(t *testing.T, program ...string) *screen {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: the filter is another user's process")
	}
	s := &screen{t: t, x: xtest.Start(t)}
	dir, err := os.MkdirTemp("/var/tmp", "goldm-display-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if s.folder, err = localdisplay.MakeFolder(dir); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	group := supervise.NewGroup(log)
	if program == nil {
		plan := fence.Plan{Duty: fence.Plain, User: fenced, Parent: os.Getpid(), Own: true}
		program = slices.Concat([]string{"/proc/self/exe", "fence"}, plan.Words(), []string{"/proc/self/exe", "filter"})

	}
	s.Display, err = localdisplay.Open(localdisplay.Config{
		Program: program, User: local, Folder: s.folder, Display: s.x.Display, Cookie: s.x.Cookie,
		Group: group, Log: log, Output: s.output,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.close()
		group.Close(0)
		if t.Failed() {
			t.Logf("log:\n%s", s.log.text.String())
		}
	})
	return s
}

// output has the log read what the filter says.
func (s *screen) output(string) (*os.File, func(), error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() { io.Copy(&s.log, r) })
	return w, func() { reading.Wait(); r.Close() }, nil
}

func (s *screen) close() { s.end.Do(s.Display.Close) }

func (s *screen) ready() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) abstract() string { return "@/tmp/.X11-unix/X" + strings.TrimPrefix(s.Name, ":") }
func (s *screen) path() string     { return filepath.Join(s.folder, "X"+strings.TrimPrefix(s.Name, ":")) }

// dial connects as a user: the kernel notes whose thread it was.
func dial(uid int, name string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			results <- result{err: e}
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: name})
		}
		if err != nil {
			results <- result{err: err}
			return
		}
		file := os.NewFile(uintptr(fd), name)
		defer file.Close()
		conn, err := net.FileConn(file)
		results <- result{conn, err}
	}()
	r := <-results
	return r.conn, r.err
}

// greet shows a cookie, and returns the first byte of the answer.
func greet(conn net.Conn, cookie []byte) (byte, error) {
	conn.SetDeadline(time.Now().Add(limit))
	setup := x11.SetupRequest{Order: x11.LittleEndian, Major: x11.ProtocolMajor, AuthName: xauth.MITMagicCookie, AuthData: cookie}
	if _, err := conn.Write(setup.Append(nil)); err != nil {
		return 0, err
	}
	answer := make([]byte, 1)
	_, err := io.ReadFull(conn, answer)
	return answer[0], err
}

// connect is a program that is let in.
func (s *screen) connect(name string) net.Conn {
	s.t.Helper()
	conn, err := dial(local.UID, name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if answer, err := greet(conn, s.Cookie); err != nil || answer != x11.SetupAccepted {
		s.t.Fatalf("setup: %d, %v", answer, err)
	}
	return conn
}

func ended(conn net.Conn) bool {
	conn.SetDeadline(time.Now().Add(limit))
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// processes returns the processes of the filter's user.
func processes(t *testing.T) (pids []int) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\nUid:\t%d\t", fenced.UID)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// A real program of the local user has its window, by either name of the display.
func TestPrograms(t *testing.T) {
	xtest.Need(t, "xdpyinfo")
	s := open(t)
	s.ready()
	authority := filepath.Join(filepath.Dir(s.folder), "Xauthority")
	xtest.WriteAuthority(t, authority, xauth.Entry{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: s.Cookie})
	if err := os.Chown(authority, local.UID, local.GID); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "xdpyinfo")
	cmd.Env = []string{"DISPLAY=" + s.Name, "XAUTHORITY=" + authority, "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(local.UID), Gid: uint32(local.GID)}}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("MIT-SHM")) || bytes.Contains(out, []byte("RECORD")) {
		t.Errorf("%v\n%s", err, out)
	}
	s.connect(s.path())
}

// Only the login's local user is let in, whatever it shows.
func TestAttackDisplayOfAnotherUser(t *testing.T) {
	s := open(t)
	s.ready()
	for _, uid := range []int{stranger, 0, fenced.UID} {
		conn, err := dial(uid, s.abstract())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if answer, err := greet(conn, s.Cookie); err == nil {
			t.Errorf("user %d had the answer %d", uid, answer)
		}
	}
	if _, err := dial(stranger, s.path()); !errors.Is(err, unix.EACCES) {
		t.Errorf("the socket's path: %v", err)
	}
	if !s.log.has("user " + strconv.Itoa(stranger)) {
		t.Error("it does not stand in the log")
	}
	s.connect(s.abstract())
}

// The filter is a process of its own user, which nobody else of that user can
// read, without a network, and no cookie is in its arguments or environment.
func TestFilterIsFenced(t *testing.T) {
	s := open(t)
	s.ready()
	pids := processes(t)
	if len(pids) != 1 {
		t.Fatalf("processes %v", pids)
	}
	proc := "/proc/" + strconv.Itoa(pids[0])
	status, err := os.ReadFile(proc + "/status")
	if err != nil || !strings.Contains(string(status), "\nNoNewPrivs:\t1\n") || !strings.Contains(string(status), "\nCapBnd:") {
		t.Errorf("%s, %v", status, err)
	}
	if info, err := os.Stat(proc + "/mem"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("its memory is %+v, %v", info, err)
	}
	for _, name := range []string{"net", "pid_for_children", "ipc"} {
		its, err := os.Readlink(proc + "/ns/" + name)
		ours, err2 := os.Readlink("/proc/self/ns/" + name)
		if err != nil || err2 != nil || its == ours {
			t.Errorf("namespace %s: %s, %v, %v", name, its, err, err2)
		}
	}
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join(proc, file))
		if err != nil || bytes.Contains(text, s.x.Cookie) || bytes.Contains(text, s.Cookie) {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
}

// A filter that dies takes its programs' connections with it, and comes back at
// the same display, which is nobody else's meanwhile.
func TestFilterComesBack(t *testing.T) {
	s := open(t)
	s.ready()
	old := s.connect(s.abstract())
	unix.Kill(processes(t)[0], unix.SIGKILL)
	if !ended(old) {
		t.Error("the connection goes on")
	}
	if l, err := net.Listen("unix", s.abstract()); err == nil {
		l.Close()
		t.Error("the abstract name was free")
	}
	s.connect(s.abstract()) // which waits for the next filter
	s.ready()
}

// At the login's end connections end, and the cookie is good for nothing.
func TestAttackConnectionAfterTheEnd(t *testing.T) {
	s := open(t)
	s.ready()
	kept := s.connect(s.abstract())
	waiting, err := dial(local.UID, s.abstract()) // has shown nothing yet
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	s.close()
	if !ended(kept) || !ended(waiting) {
		t.Error("a connection goes on")
	}
	if left := processes(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, name := range []string{s.abstract(), s.path()} {
		if conn, err := dial(local.UID, name); err == nil {
			conn.Close()
			t.Errorf("%s still takes programs", name)
		}
	}
	conn, err := net.Dial("unix", s.x.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if answer, err := greet(conn, s.Cookie); err != nil || answer != x11.SetupRefused {
		t.Errorf("the X server says %d, %v", answer, err)
	}
}

// A number that is another's in any way is not taken.
func TestAttackTakenNames(t *testing.T) {
	first := open(t)
	number, err := strconv.Atoi(strings.TrimPrefix(first.Name, ":"))
	if err != nil {
		t.Fatal(err)
	}
	abstract, err := net.Listen("unix", fmt.Sprintf("@/tmp/.X11-unix/X%d", number+1))
	if err != nil {
		t.Skip(err)
	}
	defer abstract.Close()
	for _, path := range []string{fmt.Sprintf("/tmp/.X11-unix/X%d", number+2), fmt.Sprintf("/tmp/.X%d-lock", number+3)} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Skip(err)
		}
		defer os.Remove(path)
	}
	if second := open(t); second.Name != fmt.Sprintf(":%d", number+4) {
		t.Errorf("got %s after %s", second.Name, first.Name)
	}
}

// A filter that cannot start keeps nobody waiting, and says why.
func TestFilterThatCannotStart(t *testing.T) {
	s := open(t, "sh", "-c", "echo no such library >&2; exit 127")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for range 3 {
		if err := s.Ready(ctx); err == nil || ctx.Err() != nil {
			t.Fatalf("got %v", err)
		}
	}
	if !s.log.has("no such library") || !s.log.has("local programs cannot use the screen") {
		t.Error("the log does not say why")
	}
}
