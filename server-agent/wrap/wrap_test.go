package wrap_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/agentwire"
	"goldm/server-agent/display"
	"goldm/server-agent/sessions"
	"goldm/server-agent/wrap"
)

// The test program is also the keeper and the wrapper that it tests, since both
// change the whole process.
func TestMain(m *testing.M) {
	if os.Getenv("WRAP_TEST_XSESSION") != "" && len(os.Args) == 2 {
		switch os.Args[1] {
		case "keep":
			os.Exit(keeper())
		case sessions.Desktop:
			os.Exit(wrapper())
		}
	}
	os.Exit(m.Run())
}

const grace = 300 * time.Millisecond

func keeper() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	status, err := wrap.Keep(ctx, wrap.KeepConfig{
		ID:     os.Getenv(sessions.IDVariable),
		Argv:   []string{sessions.Wrapper, sessions.Desktop},
		Env:    os.Environ(),
		Stderr: os.Stderr,
		Grace:  grace,
		Beat:   beat(),
	})
	if killed, ok := errors.AsType[*wrap.Killed](err); ok {
		killed.Die()
	}
	return exit(status, err)
}

func wrapper() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	silence, _ := time.ParseDuration(os.Getenv("WRAP_TEST_SILENCE"))
	menuWait, _ := time.ParseDuration(os.Getenv("WRAP_TEST_MENU"))
	syscall.CloseOnExec(3)
	syscall.SetNonblock(3, true)
	return exit(wrap.Run(ctx, wrap.Config{
		ID:       os.Getenv(sessions.IDVariable),
		Desktop:  wrap.Desktop{Session: os.Getenv("WRAP_TEST_SESSION"), XSession: os.Getenv("WRAP_TEST_XSESSION"), Env: os.Environ()},
		Version:  "test",
		In:       os.Stdin,
		Out:      os.Stdout,
		Stderr:   os.Stderr,
		Keeper:   os.NewFile(3, "keeper"),
		MenuWait: menuWait,
		Silence:  silence,
		Grace:    grace,
		Beat:     beat(),
	}))
}

// beat is the usual one unless a test wants another.
func beat() time.Duration {
	if beat, err := time.ParseDuration(os.Getenv("WRAP_TEST_BEAT")); err == nil {
		return beat
	}
	return wrap.DefaultBeat
}

func exit(status int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// running is a wrapper with the test as its client.
type running struct {
	t        *testing.T
	cmd      *exec.Cmd
	id       string // of the session
	mark     string // in the environment of every process of the session
	home     string
	runtime  string // XDG_RUNTIME_DIR
	in       io.WriteCloser
	out      *os.File
	messages *agentwire.Reader
	stderr   *bufio.Reader
}

// start runs a wrapper whose session script is the given shell text.
func start(t *testing.T, script string, env ...string) *running {
	t.Helper()
	r := prepare(t, script, env...)
	r.run()
	return r
}

func prepare(t *testing.T, script string, env ...string) *running {
	t.Helper()
	r := &running{t: t, id: rand.Text(), home: t.TempDir(), mark: rand.Text(), runtime: runtimeDir(t)}
	r.write("Xsession", "#!/bin/sh\n"+script, 0o755)
	r.cmd = exec.Command(os.Args[0])
	r.cmd.Args = []string{sessions.Keeper, "keep"}
	r.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "WRAP_TEST_MARK=" + r.mark, "GORACE=atexit_sleep_ms=0",
		"LTSP_SESSION_ID=" + r.id, "XDG_RUNTIME_DIR=" + r.runtime,
		"WRAP_TEST_XSESSION=" + filepath.Join(r.home, "Xsession"), "WRAP_TEST_SILENCE=1h",
	}, env...)
	return r
}

// runtimeDir makes a runtime directory, with a path short enough for sockets.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "wrap-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (r *running) write(name, content string, mode os.FileMode) {
	r.t.Helper()
	path := filepath.Join(r.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	// A child between fork and exec would hold the file open for writing, and a
	// script that is run at that moment is busy: execve(2), ETXTBSY.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) run() {
	r.t.Helper()
	var pipes [3][2]*os.File
	for i := range pipes {
		var err error
		if pipes[i][0], pipes[i][1], err = os.Pipe(); err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { pipes[i][0].Close(); pipes[i][1].Close() })
	}
	r.cmd.Stdin, r.in = pipes[0][0], pipes[0][1]
	r.out, r.cmd.Stdout = pipes[1][0], pipes[1][1]
	r.cmd.Stderr = pipes[2][1]
	r.messages = agentwire.NewReader(r.out)
	r.stderr = bufio.NewReader(pipes[2][0])
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.cmd.Process.Kill(); r.cmd.Wait() })
	for _, ours := range []*os.File{pipes[0][0], pipes[1][1], pipes[2][1]} {
		ours.Close()
	}
}

// expect reads a message and compares it.
func (r *running) expect(want agentwire.Message) {
	r.t.Helper()
	r.out.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := r.messages.Read()
	if err != nil {
		r.t.Fatalf("want %T: %v", want, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		r.t.Fatal(d)
	}
}

func (r *running) begun() {
	r.t.Helper()
	r.expect(&agentwire.Hello{Version: agentwire.Version, Agent: "test"})
	r.expect(&agentwire.Started{})
}

// lines reads the session's output until it has seen n lines with key in them, and
// returns what follows it in each. What comes before is another writer's: an
// unfinished line of the D-Bus daemon, say.
func (r *running) lines(key string, n int) []string {
	r.t.Helper()
	var found []string
	for len(found) < n {
		line, err := r.stderr.ReadString('\n')
		if err != nil {
			r.t.Fatalf("%d of %d lines %q: %v", len(found), n, key, err)
		}
		if _, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), key); ok {
			found = append(found, rest)
		}
	}
	return found
}

// ended waits for the wrapper to exit with status, and checks that nothing of
// the session is left.
func (r *running) ended(status int) {
	r.t.Helper()
	r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != status {
		r.t.Errorf("exit status %d (%v), want %d", got, r.cmd.ProcessState, status)
	}
	if left := marked(r.mark); len(left) > 0 {
		r.t.Errorf("left behind: %q", left)
	}
	if left := r.files(); len(left) > 0 {
		r.t.Errorf("left behind: %q", left)
	}
}

// files returns the files that the session has. Any D-Bus daemon of the user makes a folder
// for all of them.
func (r *running) files() []string {
	var found []string
	for _, pattern := range []string{r.runtime + "/*", "/tmp/ltsp-session-" + r.id, "/var/tmp/ltsp-session-" + r.id} {
		paths, _ := filepath.Glob(pattern)
		found = append(found, paths...)
	}
	return slices.DeleteFunc(found, func(path string) bool { return filepath.Base(path) == "dbus-1" })
}

// marked returns the command lines of the processes with mark in their environment
// or their arguments.
func marked(mark string) []string {
	var found []string
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		environ, _ := os.ReadFile(filepath.Join(folder, "environ"))
		command, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err == nil && (bytes.Contains(environ, []byte(mark)) || bytes.Contains(command, []byte(mark))) {
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

func TestDesktopExits(t *testing.T) {
	for script, status := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 128 + 9} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			r := start(t, script)
			r.begun()
			r.expect(&agentwire.Ended{Status: status})
			r.ended(status)
		})
	}
}

// crowd starts each kind of process that outlives a careless end of a session, and
// says "ready" as each stands.
const crowd = `
sh -c 'echo ready; exec sleep 1000' &
setsid sh -c 'echo ready; exec sleep 1000' &
( ( setsid sh -c 'echo ready; exec sleep 1000' & ) & )
nohup sh -c 'echo ready; exec sleep 1000' &
setsid sh -c 'trap "" TERM HUP INT; echo ready; while :; do sleep 1000; done' &
sh -c 'echo ready; kill -STOP $$' &
( ( env -i setsid sh -c 'echo ready; while :; do sleep 0.2; done' "$WRAP_TEST_MARK" & ) & )
sh -c 'trap "sh -c \"trap : TERM; while :; do sleep 1000; done\" & exit" TERM; echo ready; while :; do sleep 0.1; done' &
`

const crowdSize = 8

func TestEnds(t *testing.T) {
	bystander := exec.Command("sleep", "1000")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bystander.Process.Kill(); bystander.Wait() })

	for name, end := range map[string]func(r *running){
		"end of input": func(r *running) { r.in.Close() },
		"end message":  func(r *running) { agentwire.Write(r.in, &agentwire.End{}) },
		"TERM":         func(r *running) { r.cmd.Process.Signal(syscall.SIGTERM) },
		"HUP":          func(r *running) { r.cmd.Process.Signal(syscall.SIGHUP) },
		"output closed": func(r *running) {
			r.out.Close()
			agentwire.Write(r.in, &agentwire.Ping{})
		},
		"everything closed": func(r *running) {
			r.out.Close()
			r.in.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, crowd+"wait; while :; do sleep 1000; done")
			r.begun()
			r.lines("ready", crowdSize)
			end(r)
			r.ended(128 + int(syscall.SIGTERM))
		})
	}
	t.Run("logout", func(t *testing.T) {
		t.Parallel()
		r := start(t, crowd+"sleep 1; exit 3")
		r.begun()
		r.lines("ready", crowdSize)
		r.expect(&agentwire.Ended{Status: 3})
		r.ended(3)
	})
	t.Cleanup(func() {
		if err := bystander.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("another process of the user: %v", err)
		}
	})
}

// Keeper and wrapper finish for each other.
func TestKilled(t *testing.T) {
	for _, name := range []string{sessions.Keeper, sessions.Wrapper} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, crowd+"wait; while :; do sleep 1000; done")
			r.begun()
			r.lines("ready", crowdSize)
			if len(r.files()) != 1 {
				t.Errorf("files of the session: %q", r.files())
			}
			victim := r.cmd.Process.Pid
			if name == sessions.Wrapper {
				victim = r.wrapper()
			}
			if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r.cmd.Wait()
			if status := r.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
				t.Errorf("ended with %v, want a signal", r.cmd.ProcessState)
			}
			if name == sessions.Keeper { // the wrapper needs a moment
				r.gone()
			}
			if left := append(marked(r.mark), r.files()...); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// A keeper or a wrapper that is stopped is ended by the other one, with all of the session.
func TestAttackStopped(t *testing.T) {
	for _, name := range []string{sessions.Keeper, sessions.Wrapper} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, crowd+"wait; while :; do sleep 1000; done", "WRAP_TEST_BEAT=300ms")
			r.begun()
			r.lines("ready", crowdSize)
			victim := r.cmd.Process.Pid
			if name == sessions.Wrapper {
				victim = r.wrapper()
			}
			time.Sleep(2 * time.Second) // neither is taken for one that hangs
			if err := syscall.Kill(victim, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if name == sessions.Keeper {
				m, err := r.messages.Read()
				if end, ok := m.(*agentwire.Ended); !ok || !end.Hung {
					t.Errorf("%+v, %v; want an end of something that hung", m, err)
				}
			}
			r.cmd.Wait()
			if status := r.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
				t.Errorf("ended with %v, want a signal", r.cmd.ProcessState)
			}
			r.gone()
			if left := append(marked(r.mark), r.files()...); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// wrapper returns the process id of the wrapper.
func (r *running) wrapper() int {
	r.t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.cmd.Process.Pid))
	for _, list := range lists { // a thread has children of its own
		children, _ := os.ReadFile(list)
		var pid int
		if n, _ := fmt.Sscan(string(children), &pid); n == 1 {
			return pid
		}
	}
	r.t.Fatal("the keeper has no child")
	return 0
}

// gone waits until nothing of the session is left.
func (r *running) gone() {
	for range 600 {
		if len(marked(r.mark)) == 0 && len(r.files()) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A session and its display end with each other. A program's status 0 is no logout then.
func TestDisplay(t *testing.T) {
	for _, first := range []string{"session", "display", "display, seen by a program"} {
		runtime := runtimeDir(t)
		t.Setenv("XDG_RUNTIME_DIR", runtime)
		d, err := display.Open([]byte("0123456789abcdef"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		d.Follow(func() { close(ended) })
		t.Cleanup(func() { d.Close() })
		script := "sleep 54321 &\nwait"
		if first == "display, seen by a program" {
			script = "while [ -e " + d.Authority() + " ]; do sleep 0.01; done"
		}
		r := start(t, script, "XAUTHORITY="+d.Authority())
		r.begun()
		switch first {
		case "session":
			agentwire.Write(r.in, &agentwire.End{})
			r.expect(&agentwire.Ended{Status: 143})
			<-ended
			d.Close()
			r.ended(143)
		default:
			d.Close()
			m, err := r.messages.Read()
			if end, ok := m.(*agentwire.Ended); err != nil || !ok || !end.Dark || end.Status == 0 {
				t.Errorf("%s: %+v, %v", first, m, err)
			}
			r.cmd.Wait()
			if left := marked(r.mark); len(left) > 0 {
				t.Errorf("%s: left behind: %q", first, left)
			}
		}
		if _, err := os.Stat(d.Authority()); !os.IsNotExist(err) {
			t.Errorf("%s: the display is there: %v", first, err)
		}
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	r := start(t, "echo ready; exec sleep 1000", "WRAP_TEST_SILENCE=500ms")
	r.begun()
	r.lines("ready", 1)
	for range 3 {
		if err := agentwire.Write(r.in, &agentwire.Ping{}); err != nil {
			t.Fatal(err)
		}
		r.expect(&agentwire.Pong{})
	}
	r.expect(&agentwire.Ended{Status: 128 + int(syscall.SIGTERM), Silent: true})
	r.ended(128 + int(syscall.SIGTERM))
}

// A client that never pings, such as a person with ssh, may be silent.
func TestNoPing(t *testing.T) {
	t.Parallel()
	r := start(t, "sleep 1; exit 5", "WRAP_TEST_SILENCE=1ms")
	io.WriteString(r.in, "not a message\n\n{\"type\":\"later\"}\n")
	r.begun()
	r.expect(&agentwire.Ended{Status: 5})
	r.ended(5)
}

// With the network gone, nobody reads what the session says.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	r := start(t, "yes | head -c 10000000; yes | head -c 10000000 >&2; exit 6")
	r.ended(6)
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	r := start(t, "yes | head -c 1000000; exit 0")
	said, err := io.ReadAll(r.stderr)
	if err != nil {
		t.Fatal(err)
	}
	if len(said) > 80<<10 || !bytes.Contains(said, []byte("y\ny\ny\n")) {
		t.Errorf("%d bytes on standard error", len(said))
	}
	r.ended(0)
}

func TestSessionScriptMissing(t *testing.T) {
	t.Parallel()
	r := prepare(t, "")
	os.Chmod(filepath.Join(r.home, "Xsession"), 0o644)
	r.run()
	said, _ := io.ReadAll(r.stderr)
	if !strings.Contains(string(said), "not executable") {
		t.Errorf("said %q", said)
	}
	r.ended(1)
}
