package e2e

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm/wire"
)

// filter picks the process between local programs and the X server.
func filter(p testbed.Process) bool { return slices.Contains(p.Command, "filter") }

// say runs a script as a local program and returns what it wrote.
func (w *fakeWorker) say(id uint32, script string) string {
	w.s.t.Helper()
	const said = "/tmp/said"
	if r := w.run(id, "sh", "-c", "exec >"+said+" 2>&1; "+script); r.State != wire.Exited {
		w.s.t.Fatalf("%s: %+v", script, r)
	}
	text, err := w.s.roomFile(said)
	w.s.must(err)
	return string(text)
}

// With what a local program has it reaches its own display, and not the X server:
// neither its socket's path, nor its abstract name with any cookie.
func TestAttackXServerOfLocalApps(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "LOCAL_APPS=True", "SOUND=False")
	s.start()
	w := s.fakeLogin("anna")
	if got := w.say(1, "xdpyinfo | grep -c -E 'MIT-SHM|Present|RENDER'; xdpyinfo | grep -c -E 'RECORD|SECURITY|X-Resource'; echo $DISPLAY"); got != "3\n0\n:100\n" {
		t.Errorf("a program sees %q", got)
	}
	if got := w.say(2, "ls /tmp/.X11-unix; for d in :0 unix:0 :0.0; do DISPLAY=$d xdpyinfo >/dev/null && echo reached $d; done; true"); !strings.HasPrefix(got, "X100\n") || strings.Contains(got, "reached") {
		t.Errorf("a program reached the X server: %s", got)
	}
	real, err := s.Client.ReadFile(xCookies)
	s.must(err)
	shown := w.say(3, "cat $XAUTHORITY")
	if len(shown) < 16 {
		t.Fatalf("a program's cookie: %q", shown)
	}
	if cookie := real[len(real)-16:]; strings.Contains(shown, string(cookie)) {
		t.Error("a program has the X server's cookie")
	}
	if got := w.say(4, "cat "+xCookies+" /proc/1/environ /run/ldm/seat0/*.auth"); strings.Contains(got, string(real[len(real)-16:])) {
		t.Error("a program found the X server's cookie")
	}
	pids := running(t, s.Client, filter)
	if len(pids) != 1 || pids[0].UID != s.uid("_ldm-filter") {
		t.Errorf("filters: %v", pids)
	}
	// The login's cookie is good for nothing but the login.
	mark := s.log.mark()
	w.send(&wire.Ended{})
	s.log.wait(t, mark, greeterUp)
	if left := running(t, s.Client, filter); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if out, err := s.Client.Output(t.Context(), "sh", "-c", "ls /run/ldm/seat0/30000 2>&1; grep -c X100 /proc/net/unix; true"); err != nil || !strings.HasSuffix(out, "0\n") {
		t.Errorf("left: %s, %v", out, err)
	}
	if bytes.Contains([]byte(s.log.String()), []byte(shown[len(shown)-16:])) {
		t.Error("the log has the cookie")
	}
}

// Where the filter cannot start, who asks for a program is told, and the log says why.
func TestLocalAppsWithoutFilter(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "LOCAL_APPS=True", "SOUND=False")
	s.start()
	w := s.fakeLogin("anna")
	s.must(s.Client.WriteFile("/tmp/no-filter", nil, 0o644))
	if r := w.run(1, "true"); r.State != wire.Faulty || !strings.Contains(r.Reason, "cannot use the screen") {
		t.Errorf("got %+v", r)
	}
	s.log.wait(t, 0, "there is no filter")
	_, err := s.Client.Output(t.Context(), "rm", "/tmp/no-filter")
	s.must(err)
	settle(t, "a program runs", func() bool { return w.run(2, "true").State == wire.Exited })
}
