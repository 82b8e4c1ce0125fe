package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"goldm/internal/testbed"
)

// byHand prepares an ordinary user of the client, carl, with a key for anna's
// account and an X server of his own at :7.
func (s *station) byHand() {
	s.t.Helper()
	ctx := s.t.Context()
	s.must(s.Client.AddUser(ctx, "carl", "unused"))
	x := s.Client.Command(ctx, "carl", "Xvfb", ":7", "-screen", "0", "1024x768x24", "-noreset")
	s.must(x.Start())
	settle(s.t, "carl's display is up", func() bool {
		_, err := s.Client.Stat("/tmp/.X11-unix/X7")
		return err == nil
	})
}

// giveKey lets carl's key into anna's account.
func (s *station) giveKey() {
	s.t.Helper()
	ctx := s.t.Context()
	_, err := s.Client.Command(ctx, "carl", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/home/carl/.ssh/id_ed25519").Output()
	s.must(err)
	key, err := s.Client.ReadFile("/home/carl/.ssh/id_ed25519.pub")
	s.must(err)
	write := s.Server.Command(ctx, "anna", "sh", "-c", "mkdir -m 700 -p .ssh && cat > .ssh/authorized_keys")
	write.Stdin = bytes.NewReader(key)
	s.must(write.Run())
}

// ldmSession is the command as carl types it in a terminal of his X session.
func (s *station) ldmSession(args ...string) *testbed.Cmd {
	c := s.Client.Command(s.t.Context(), "carl", append([]string{"ldm-session"}, args...)...)
	c.Env = append(c.Env, "DISPLAY=:7")
	return c
}

func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// Commands are quoted and exit statuses passed on as ssh does, or better.
func TestByHandCommands(t *testing.T) {
	s := newStation(t)
	s.byHand()
	s.giveKey()
	tests := []struct {
		args   []string
		status int
		out    string
	}{
		{[]string{"anna@server", "--", "sh", "-c", "exit 42"}, 42, ""},
		{[]string{"anna@server", "--", "echo one; echo two"}, 0, "one\ntwo\n"},
		{[]string{"anna@server", "--", "printf", "%s|", "a b", "it's", "$HOME", "*", ""}, 0, "a b|it's|$HOME|*||"},
		{[]string{"anna@server:22", "--", "true"}, 0, ""},
		{[]string{"anna@server", "--", "kill -9 $$"}, 255, ""},
		{[]string{"anna@server", "--", "no-such-program"}, 127, ""},
		{[]string{"anna@server:2", "--", "true"}, 255, ""},
		{[]string{"anna@nowhere.invalid", "--", "true"}, 255, ""},
		{[]string{"anna@server", "--bogus"}, 2, ""},
	}
	for _, tt := range tests {
		c := s.ldmSession(tt.args...)
		var complaint bytes.Buffer
		c.Stderr = &complaint
		out, err := c.Output()
		if status(err) != tt.status || string(out) != tt.out && tt.status == 0 {
			t.Errorf("%q: status %d, %q; %s", tt.args, status(err), out, complaint.String())
		}
		if (tt.status == 255 || tt.status == 2) && !strings.HasPrefix(complaint.String(), "ldm-session: ") {
			t.Errorf("%q: complained %q", tt.args, complaint.String())
		}
	}
	c := s.ldmSession("anna@server", "--", "cat")
	c.Stdin = strings.NewReader("through and back\n")
	if out, err := c.Output(); err != nil || string(out) != "through and back\n" {
		t.Errorf("cat: %q, %v", out, err)
	}
}

// A program of the server opens its window on the display that it was started from.
func TestByHandWindow(t *testing.T) {
	s := newStation(t)
	s.byHand()
	s.giveKey()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := s.Client.Command(ctx, "carl", "ldm-session", "anna@server", "--", "xterm", "-xrm", keepTitle, "-title", "from the server")
	c.Env = append(c.Env, "DISPLAY=:7")
	s.must(c.Start())
	s.waitTitle("from the server")
	_, err := s.Server.Output(t.Context(), "pkill", "-x", "xterm")
	s.must(err)
	c.Wait()
}

// keepTitle keeps an xterm's title from the shell in it, whose prompt sets another
// one in Debian: bash's /etc/skel/.bashrc.
const keepTitle = "*allowTitleOps: false"

// waitTitle waits for a window with a title on carl's display.
func (s *station) waitTitle(title string) { s.waitTitleOn(":7", title) }

func (s *station) waitTitleOn(display, title string) {
	s.t.Helper()
	settle(s.t, title+" is on carl's screen", func() bool {
		c := s.Client.Command(s.t.Context(), "carl", "xwininfo", "-root", "-tree")
		c.Env = append(c.Env, "DISPLAY="+display)
		out, err := c.Output()
		return err == nil && strings.Contains(string(out), title)
	})
}

// xinit puts its client where it cannot read the terminal: the password is
// asked for in a window, and typed there.
func TestXinitWithAPassword(t *testing.T) {
	s := newStation(t)
	s.must(s.Client.AddUser(t.Context(), "carl", "unused"))
	xinit := s.Client.Command(t.Context(), "carl", "xinit", "/usr/local/bin/ldm-session", "--session", "icewm-session", "anna@server", "--", "/usr/bin/Xvfb", ":8", "-screen", "0", "1024x768x24")
	terminal, err := xinit.StartOnTerminal()
	s.must(err)
	defer terminal.Close()
	seen := newJournal()
	go seen.ReadFrom(terminal)
	settle(t, "the question has the keyboard", func() bool {
		c := s.Client.Command(t.Context(), "carl", "xdotool", "getwindowfocus", "getwindowname")
		c.Env = append(c.Env, "DISPLAY=:8")
		out, err := c.Output()
		return err == nil && strings.Contains(string(out), "Question")
	})
	typeLine(t, s.Client, "carl", password, "DISPLAY=:8")
	s.waitTitleOn(":8", "icewm")
	s.logOut()
	if err := xinit.Wait(); err != nil {
		t.Logf("xinit: %v", err)
	}
	if left := running(t, s.Client, func(p testbed.Process) bool { return p.Program() == "ldm-session" || p.Program() == "Xvfb" }); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if strings.Contains(seen.String(), password) {
		t.Error("the password was shown on the terminal")
	}
}

// On a terminal of its own the command asks there, without showing the answer.
func TestByHandPasswordOnATerminal(t *testing.T) {
	s := newStation(t)
	s.byHand()
	c := s.ldmSession("anna@server", "--", "echo", "let", "in")
	terminal, err := c.StartOnTerminal()
	s.must(err)
	defer terminal.Close()
	seen := newJournal()
	go seen.ReadFrom(terminal)
	seen.wait(t, 0, "assword")
	_, err = terminal.WriteString(password + "\n")
	s.must(err)
	seen.wait(t, 0, "let in")
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, seen)
	}
	if strings.Contains(seen.String(), password) {
		t.Error("the password was shown")
	}
}

// agreety, greetd's own greeter, logs in through the same socket.
func TestAgreety(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	c := s.Client.Command(t.Context(), "_ldm-greeter", "agreety", "--cmd", "icewm-session")
	c.Env = append(c.Env, "GREETD_SOCK=/run/ldm/seat0/greetd.sock")
	terminal, err := c.StartOnTerminal()
	s.must(err)
	defer terminal.Close()
	seen := newJournal()
	go seen.ReadFrom(terminal)
	dialogue := func(mark int, name, secret string) int {
		mark = seen.wait(t, mark, "login:")
		terminal.WriteString(name + "\n")
		mark = seen.wait(t, mark, "assword")
		terminal.WriteString(secret + "\n")
		return mark
	}
	mark := dialogue(0, "anna", "wrong")
	mark = seen.wait(t, mark, "incorrect") // its own words for an auth_error
	dialogue(mark, "anna", password)
	s.log.wait(t, 0, "the session has started")
	s.waitWindow("icewm")
}
