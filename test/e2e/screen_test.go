package e2e

import (
	"strings"
	"testing"

	"goldm/internal/testbed"
)

// title waits until the login screen's focused window says so.
func (s *station) title(want string) {
	s.t.Helper()
	settle(s.t, "the login screen says "+want, func() bool {
		out, err := s.onDisplay("xdotool", "getwindowfocus", "getwindowname")
		return err == nil && strings.Contains(out, want)
	})
}

// typed types on the seat's keyboard, with Enter.
func (s *station) typed(text string) {
	s.t.Helper()

	typeLine(s.t, s.Client, "root", text, "DISPLAY="+s.display(), "XAUTHORITY="+xCookies)
}

// typeLine types text and Enter on the display that env names.
func typeLine(t *testing.T, m *testbed.Machine, user, text string, env ...string) {
	t.Helper()
	for _, argv := range [][]string{{"type", "--delay", "20", "--file", "-"}, {"key", "Return"}} {
		c := m.Command(t.Context(), user, append([]string{"xdotool"}, argv...)...)
		c.Env = append(c.Env, env...)
		c.Stdin = strings.NewReader(text)
		if _, err := c.Output(); err != nil {
			t.Fatal(err)
		}
	}
}

// A person at the keyboard: a wrong password, the right one, the desktop, out.
func (s *station) loginByTyping() {
	s.t.Helper()
	s.title("User name")
	s.typed("anna")
	s.title("Password:")
	s.typed("wrong")
	s.title("User name")
	s.typed("anna")
	s.title("Password:")
	mark := s.log.mark()
	s.typed(password)
	s.log.wait(s.t, mark, "the session has started")
	s.waitWindow("icewm")
	x := s.xServer()
	mark = s.log.mark()
	s.logOut()
	s.backAtLogin(mark, x)
	s.title("User name")
}

func TestTypedLogin(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_SESSION=icewm-session")
	s.start()
	s.loginByTyping()
}

// GTK and glibc of the next release work within the fences, too.
func TestTypedLoginOnDebian13(t *testing.T) {
	s := newStation(t, func(c *testbed.Config) { c.Suite = "trixie" })
	s.configure(xvfb, "LDM_SESSION=icewm-session")
	s.start()
	s.loginByTyping()
}

// Xorg is the default; without a graphics card it drives a dummy.
func TestTypedLoginOnXorg(t *testing.T) {
	s := newStation(t)
	s.must(s.Client.WriteFile("/etc/X11/xorg.conf", []byte(`
Section "Device"
	Identifier "dummy"
	Driver "dummy"
	VideoRam 65536
EndSection
Section "Screen"
	Identifier "screen"
	Device "dummy"
	DefaultDepth 24
	SubSection "Display"
		Depth 24
		Modes "1280x800"
	EndSubSection
EndSection
Section "ServerFlags"
	Option "AutoAddDevices" "false"
EndSection
`), 0o644))
	s.configure("LDM_SESSION=icewm-session")
	s.start()
	s.loginByTyping()
}

// A login screen of another make, in a terminal on the seat's X server.
func TestOtherGreeter(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, `LDM_GREETER="xterm -fs 14 -e agreety --cmd icewm-session"`)
	s.launch()
	s.waitWindow("agreety")
	mark := s.log.mark()
	settle(t, "the terminal has the keyboard", func() bool {
		_, err := s.onDisplay("xdotool", "search", "--onlyvisible", "--class", "xterm", "windowfocus", "--sync")
		return err == nil
	})
	s.typed("anna")
	s.log.wait(t, mark, "user=anna")
	s.typed(password)
	s.log.wait(t, mark, "the session has started")
	s.waitWindow("icewm")
}
