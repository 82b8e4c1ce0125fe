package byhand

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"goldm/session/internal/sshtest"
)

// sitting is a person at a terminal, on which a program runs.
type sitting struct {
	t      *testing.T
	home   string
	server *sshtest.Server
	cmd    *exec.Cmd
	master *os.File

	mu     sync.Mutex
	screen bytes.Buffer
	more   chan struct{} // something arrived, or nothing will
	closed bool
}

// sit prepares a person who knows the server, and ldm-session for use by sh.
func sit(t *testing.T) *sitting {
	t.Helper()
	s := &sitting{t: t, home: t.TempDir(), server: startServer(t, nil), more: make(chan struct{}, 1)}
	s.mkdir("bin")
	s.mkdir(".ssh")
	known, err := os.ReadFile(s.server.KnownHosts())
	if err != nil {
		t.Fatal(err)
	}
	s.write(".ssh/known_hosts", string(known), 0o600)
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// testscript.Main makes the test program be ldm-session under that name.
	if err := os.Symlink(own, filepath.Join(s.home, "bin", Name)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sitting) mkdir(name string) {
	s.t.Helper()
	if err := os.Mkdir(filepath.Join(s.home, name), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sitting) write(name, content string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.home, name), []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
}

// run runs shell text on a terminal; $LOGIN in it is a login at the server.
func (s *sitting) run(script string, env ...string) {
	s.t.Helper()
	s.cmd = exec.Command("/bin/sh", "-c", script)
	s.cmd.Dir = s.home
	s.cmd.Env = append([]string{
		"HOME=" + s.home, "PATH=" + filepath.Join(s.home, "bin") + ":" + os.Getenv("PATH"),
		"LOGIN=" + Name + " anna@" + s.server.Address(),
	}, env...)
	var err error
	if s.master, err = pty.Start(s.cmd); err != nil {
		s.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(s.watch)
	s.t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.master.Close()
		reading.Wait()
	})
}

func (s *sitting) watch() {
	buffer := make([]byte, 4096)
	for {
		n, err := s.master.Read(buffer)
		s.mu.Lock()
		s.screen.Write(buffer[:n])
		s.closed = err != nil
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// sees waits until the text is on the screen.
func (s *sitting) sees(text string) {
	s.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		screen, closed := s.screen.String(), s.closed
		s.mu.Unlock()
		switch {
		case strings.Contains(screen, text):
			return
		case closed:
			s.t.Fatalf("%q is not on the screen: %q", text, screen)
		}
		select {
		case <-s.more:
		case <-limit:
			s.t.Fatalf("%q does not come: %q", text, screen)
		}
	}
}

func (s *sitting) types(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.master, text); err != nil {
		s.t.Fatal(err)
	}
}

// echoes tells whether the terminal shows what is typed.
func (s *sitting) echoes() bool {
	s.t.Helper()
	termios, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return termios.Lflag&unix.ECHO != 0
}

func (s *sitting) never(text string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(s.screen.String(), text) {
		s.t.Errorf("%q is on the screen: %q", text, s.screen.String())
	}
}

func TestForegroundPassword(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.run("$LOGIN -- echo 'logged in'; echo exit=$?; read -r line", "SSH_ASKPASS=false", "DISPLAY=:77")
	s.sees("assword")
	if s.echoes() {
		t.Error("what is typed is shown")
	}
	s.types(sshtest.Password + "\n")
	s.sees("exit=0")
	s.sees("logged in\r\n")
	if !s.echoes() {
		t.Error("the echo stays off")
	}
	s.never(sshtest.Password)
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.run("trap : INT; $LOGIN -- true; echo exit=$?; read -r line")
	s.sees("assword")
	s.types("\x03")
	s.sees("exit=255")
	if !s.echoes() {
		t.Error("the echo stays off")
	}
}

func TestEndOfFileCancels(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.run("$LOGIN -- true; echo exit=$?")
	s.sees("assword")
	s.types("\x04")
	s.sees("cancelled")
	s.sees("exit=255")
}

// background runs LOGIN as xinit runs its client: in another process group than the
// terminal's foreground one. Reading the terminal would stop it for ever.
const background = "set -m; $LOGIN -- cat & wait $!; echo exit=$?"

func TestBackgroundAskpass(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.write("bin/askpass", "#!/bin/sh\necho '"+sshtest.Password+"'\n", 0o700)
	s.run(background, "SSH_ASKPASS=askpass")
	s.sees("exit=0")
	s.never("assword")
}

func TestBackgroundWindow(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.write("bin/ldm-greeter", "#!/bin/sh\necho \"$@\" >>asked\ncat >>asked\nprintf %s '"+sshtest.Password+"'\n", 0o700)
	s.run(background, "SSH_ASKPASS=false", "DISPLAY=:77")
	s.sees("exit=0")
	asked, err := os.ReadFile(filepath.Join(s.home, "asked"))
	if err != nil || !strings.HasPrefix(string(asked), "--ask --secret\n") {
		t.Errorf("the window was asked %q, %v", asked, err)
	}
}

func TestBackgroundNobody(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.run(background)
	s.sees("neither a terminal nor a display")
	s.sees("exit=255")
}

func TestUnknownServer(t *testing.T) {
	t.Parallel()
	s := sit(t)
	s.write(".ssh/known_hosts", "", 0o600)
	s.run("$LOGIN -- true; echo no=$?; $LOGIN -- true; echo yes=$?; $LOGIN -- true; echo again=$?")
	s.sees("SHA256:")
	s.types("perhaps\n")
	s.sees("Type yes or no")
	s.types("no\n")
	s.sees("no=255")
	if known, err := os.ReadFile(filepath.Join(s.home, ".ssh", "known_hosts")); err != nil || len(known) > 0 {
		t.Errorf("remembered %q, %v", known, err)
	}
	s.erase()
	s.sees("(yes/no)")
	s.types("yes\n")
	s.sees("assword")
	s.types(sshtest.Password + "\n")
	s.sees("yes=0")
	s.erase()
	s.sees("assword")
	s.never("SHA256:")
	s.types(sshtest.Password + "\n")
	s.sees("again=0")
}

// erase forgets what was on the screen, up to the end of the last line.
func (s *sitting) erase() {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.screen.String()
	rest = rest[strings.LastIndex(rest, "\n")+1:]
	s.screen.Reset()
	s.screen.WriteString(rest)
}
