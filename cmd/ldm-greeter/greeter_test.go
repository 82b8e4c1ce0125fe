package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bin is where the programs are that the tests run.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "ldm-greeter-test"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	os.RemoveAll(bin)
	os.Exit(code)
}

// build builds them once.
var build = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", bin+"/",
		"goldm/cmd/ldm-greeter", "goldm/test/fakegreetd").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
})

func program(t *testing.T, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(bin, name)
}

// session is a greeter on a display, with its fake daemon.
type session struct {
	*display
	cmd    *exec.Cmd
	events chan string // what the daemon reports
	stderr bytes.Buffer
}

// newSession starts a greeter that knows already what its daemon offers: from there it has the
// name in front.
func newSession(t *testing.T, size string, options ...string) *session {
	t.Helper()
	s := startSession(t, size, options...)
	s.sees("thin7: User name")
	return s
}

// startSession starts a greeter, and its daemon with options.
func startSession(t *testing.T, size string, options ...string) *session {
	t.Helper()
	s := &session{display: newDisplay(t, size), events: make(chan string, 1000)}
	s.cmd = exec.Command(program(t, "fakegreetd"), append(options, "--", program(t, "ldm-greeter"))...)
	s.cmd.Env = s.env()
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill(); t.Log("standard error: " + s.stderr.String()) })
	go s.follow(out)
	return s
}

func (s *session) follow(out io.Reader) {
	defer close(s.events)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.events <- lines.Text()
	}
}

func (s *session) kill() {
	if s.cmd.ProcessState == nil {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.exit()
	}
}

// hears waits for a report of the daemon.
func (s *session) hears(want string) {
	s.t.Helper()
	if !s.hearsWithin(patience, want) {
		s.t.Fatalf("the greeter never came to %s; the screen shows %q", want, s.title())
	}
}

func (s *session) hearsWithin(d time.Duration, want string) bool {
	s.t.Helper()
	limit := time.After(d)
	for {
		select {
		case got, open := <-s.events:
			if !open {
				s.t.Fatalf("the greeter ended without %s: %s", want, &s.stderr)
			}
			if got == want {
				return true
			}
		case <-limit:
			return false
		}
	}
}

// insists presses a key until the daemon reports what that leads to. One that comes while the
// screen shows an earlier turn is dropped, and a person presses again.
func (s *session) insists(key, want string) {
	s.t.Helper()
	if !eventually(func() bool { s.presses(key); return s.hearsWithin(time.Second, want) }) {
		s.t.Fatalf("%s never leads to %s; the screen shows %q", key, want, s.title())
	}
}

// exit waits for the greeter and returns its exit status.
func (s *session) exit() int {
	s.t.Helper()
	for range s.events {
	}
	err := s.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return 0
}

func (s *session) logsIn() {
	s.t.Helper()
	s.hears("start_session")
	if code := s.exit(); code != 0 {
		s.t.Errorf("exit status %d after a login", code)
	}
	if strings.Contains(s.stderr.String(), "secret") {
		s.t.Error("the password is in the log")
	}
}

func TestLogin(t *testing.T) {
	s := newSession(t, "1024x768")
	if colours := s.picture("empty"); colours < 50 {
		t.Errorf("the login screen has %d colours", colours)
	}
	s.types("anna")
	s.sees(": Password:")
	s.types("wrong")
	s.hears("answered")
	s.sees(": User name")
	s.picture("error")
	s.types("") // the name is still there
	s.sees(": Password:")
	s.picture("question")
	s.types("secret")
	s.logsIn()
}

func TestLoginBeyondASCII(t *testing.T) {
	s := newSession(t, "1920x1080")
	s.picture("empty")
	s.types("jürgen")
	s.sees(": Password:")
	s.types("gehëim mit €")
	s.logsIn()
}

func TestSeveralQuestions(t *testing.T) {
	s := newSession(t, "1024x768")
	s.types("otp")
	s.sees(": Password:")
	s.types("secret")
	s.sees(": One-time password (OATH) for `otp':")
	s.types("123456")
	s.logsIn()
}

func TestEscape(t *testing.T) {
	s := newSession(t, "1024x768")
	s.types("slow")
	s.sees(": Connecting to alpha.example.org …")
	s.picture("slow")
	s.presses("Escape")
	s.hears("closed")
	s.sees(": User name")
	s.types("anna")
	s.sees(": Password:")
	s.presses("Escape")
	s.hears("closed")
	s.sees(": User name")
	s.types("anna")
	s.sees(": Password:")
	s.types("secret")
	s.logsIn()
}

func TestNotices(t *testing.T) {
	s := newSession(t, "800x600")
	s.picture("empty")
	s.types("banner")
	s.sees(": Password:")
	s.picture("banner")
	s.presses("Next")
	s.presses("Escape")
	s.sees(": User name")
	s.types("motd")
	s.sees(": Password:")
	s.types("secret")
	s.sees(": Press Enter to continue.")
	s.picture("motd")
	// An Enter that comes too soon to be meant is dropped: a person presses again.
	if !eventually(func() bool { s.presses("Return"); return s.title() != "thin7: Press Enter to continue." }) {
		t.Fatal("Enter does not continue")
	}
	s.logsIn()
}

// What a server says stays in its box, and the window on the screen.
func TestHostileServer(t *testing.T) {
	s := newSession(t, "800x600")
	s.types("hostile")
	s.sees("wid…")
	s.picture("hostile")
	geometry, err := s.run("xdotool", "getwindowfocus", "getwindowgeometry", "--shell")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"X=0", "Y=0", "WIDTH=800", "HEIGHT=600"} {
		if !strings.Contains(geometry, want+"\n") {
			t.Errorf("the window is at %s, want %s", strings.ReplaceAll(geometry, "\n", " "), want)
		}
	}
	s.types("x")
	s.hears("answered")
	s.sees(": User name")
	s.picture("hostile-error")
}

// A held Enter answers nothing by itself.
func TestHeldEnter(t *testing.T) {
	s := newSession(t, "1024x768")
	s.must("xdotool", "type", "--delay", "20", "anna")
	s.must("xdotool", "keydown", "Return")
	s.hears(`create_session "anna"`)
	s.sees(": Password:")
	select { // meanwhile the X server repeats the key, from 0.7 s on
	case e := <-s.events:
		t.Errorf("the daemon heard %q", e)
	case <-time.After(2 * time.Second):
	}
	s.must("xdotool", "keyup", "Return")
	s.types("secret")
	s.logsIn()
}

// A greeter whose daemon goes away says so, and ends for ldm to start it again.
func TestDaemonGoesAway(t *testing.T) {
	d := newDisplay(t, "1024x768")
	cmd := exec.Command(program(t, "ldm-greeter"))
	cmd.Env = append(d.env(), "GREETD_SOCK="+filepath.Join(t.TempDir(), "nobody"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.sees(": The login screen starts again in a moment.")
	d.picture("nobody")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("greeter: %v", err)
	}
	if !strings.Contains(stderr.String(), "does not answer") {
		t.Errorf("standard error: %s", &stderr)
	}
}

func TestWithoutDaemonOrDisplay(t *testing.T) {
	for _, c := range []struct{ name, env, stderr string }{
		{"no socket", "DISPLAY=:0", "ldm-greeter: GREETD_SOCK is not set"},
		{"no display", "GREETD_SOCK=/nonexistent", "ldm-greeter: The display \"\" cannot be opened."},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(program(t, "ldm-greeter"))
			cmd.Env = []string{c.env}
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(out), c.stderr) {
				t.Errorf("exit status %d: %s", cmd.ProcessState.ExitCode(), out)
			}
		})
	}
}
