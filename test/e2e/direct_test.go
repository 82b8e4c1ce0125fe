package e2e

import (
	"strings"
	"testing"
)

// With LDM_DIRECTX the desktop reaches the client's X server over TCP, and who has no cookie
// does not.
func TestDirectX(t *testing.T) {
	for way, options := range map[string][]option{"agent": nil, "plain": {plain}} {
		t.Run(way, func(t *testing.T) {
			s := newStation(t, options...)
			s.configure(xvfb, "SOUND=False", "LDM_DIRECTX=True")
			s.start()
			s.login("anna", password, "icewm-session")
			s.waitWindow("icewm")
			direct := s.Client.Address().String() + s.display()
			if out, err := s.as("sh", "-c", "echo $DISPLAY; xauth -n list"); err != nil || !strings.HasPrefix(out, direct+".0\n") || !strings.Contains(out, direct+" ") {
				t.Errorf("the desktop's display is %q, %v", out, err)
			}
			if out, err := s.as("xdpyinfo"); err != nil || !strings.Contains(out, "name of display:    "+direct) {
				t.Errorf("%v: %s", err, out)
			}
			if out, err := s.Server.Output(t.Context(), "env", "HOME=/nonexistent", "xdpyinfo", "-display", direct); err == nil {
				t.Errorf("without a cookie: %s", out)
			}
			secrets, err := s.Client.ReadFile(xCookies)
			s.must(err)
			s.noProcessShows(s.Server, "the display's cookie", string(secrets[len(secrets)-16:]))
			x := s.xServer()
			mark := s.log.mark()
			s.logOut()
			s.backAtLogin(mark, x)
			if out, err := s.Server.Command(t.Context(), "anna", "xauth", "-n", "list").Output(); err != nil || len(out) != 0 {
				t.Errorf("left on the server: %s, %v", out, err)
			}
		})
	}
}

// By hand the same has to be asked for, and takes an X server that listens and has a cookie.
func TestByHandDirect(t *testing.T) {
	s := newStation(t)
	s.byHand()
	s.giveKey()
	ctx := t.Context()
	show := func(display string) (string, error) {
		c := s.Client.Command(ctx, "carl", "ldm-session", "--no-sound", "--x11", "direct", "anna@server", "--", "echo $DISPLAY; xdpyinfo | head -n 1; xauth -n list")
		c.Env = append(c.Env, "DISPLAY="+display)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := show(":7"); status(err) != 255 || !strings.Contains(out, "does not listen on the network") {
		t.Errorf("%v: %s", err, out)
	}
	for display, script := range map[string]string{
		":8": "exec Xvfb :8 -listen tcp -noreset",
		":9": "xauth -q add :9 . 00112233445566778899aabbccddeeff; exec Xvfb :9 -listen tcp -noreset -auth .Xauthority",
	} {
		s.must(s.Client.Command(ctx, "carl", "sh", "-c", script).Start())
		settle(t, display+" is up", func() bool {
			_, err := s.Client.Stat("/tmp/.X11-unix/X" + display[1:])
			return err == nil
		})
	}
	if out, err := show(":8"); status(err) != 255 || !strings.Contains(out, "has no cookie") {
		t.Errorf("%v: %s", err, out)
	}
	direct := s.Client.Address().String() + ":9"
	out, err := show(":9")
	if err != nil || !strings.HasPrefix(out, direct+".0\nname of display:    "+direct) || !strings.Contains(out, "00112233445566778899aabbccddeeff") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := s.Server.Command(ctx, "anna", "xauth", "list").Output(); err != nil || len(out) != 0 {
		t.Errorf("left on the server: %s, %v", out, err)
	}
}
