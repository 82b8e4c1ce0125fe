package e2e

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// moodyX is an X server that does once what /tmp/x/mood says.
const moodyX = `#!/bin/sh
mood=$(cat /tmp/x/mood 2>/dev/null)
rm -f /tmp/x/mood
case $mood in
dies) echo "no screens found" >&2; exit 1 ;;
hangs) exec sleep 1000 ;;
waits) until [ -e /tmp/x/go ]; do sleep 0.05; done ;;
esac
exec Xvfb -screen 0 1280x800x24 "$@"
`

func moodyStation(t *testing.T) *station {
	t.Helper()
	s := newStation(t)
	s.must(s.Client.WriteFile("/usr/local/bin/moody-x", []byte(moodyX), 0o755))
	_, err := s.Client.Output(t.Context(), "install", "-d", "-m", "777", "/tmp/x")
	s.must(err)
	s.configure("XSERVER=moody-x")
	s.start()
	return s
}

// mood is how the next X server is.
func (s *station) mood(mood string) {
	s.t.Helper()
	s.must(s.Client.WriteFile("/tmp/x/mood", []byte(mood), 0o644))
}

// begin logs anna in up to start_session, and leaves the connection open.
func (s *station) begin() net.Conn {
	s.t.Helper()
	conn := s.dial()
	expect[*greetd.Success](s.t, s.authenticate(conn, "anna", password))
	expect[*greetd.Success](s.t, s.call(conn, &greetd.StartSession{Cmd: []string{"icewm-session"}}))
	return conn
}

// hangs waits until the X server that hangs has started.
func (s *station) hangs() testbed.Process {
	s.t.Helper()
	var found []testbed.Process
	settle(s.t, "an X server hangs", func() bool {
		found = running(s.t, s.Client, func(p testbed.Process) bool { return slices.Equal(p.Command, []string{"sleep", "1000"}) })
		return len(found) == 1
	})
	return found[0]
}

// The session's X server dies at once, or is killed before it is up: the login screen says so.
func TestAttackSecondXServer(t *testing.T) {
	s := moodyStation(t)
	for mood, act := range map[string]func(){
		"dies":  func() {},
		"hangs": func() { s.signal(s.hangs(), "KILL") },
	} {
		x := s.xServer()
		s.mood(mood)
		conn := s.begin()
		mark := s.log.mark()
		conn.Close()
		act()
		s.backAtLogin(mark, x)
		seat := expect[*greetd.Seat](t, s.call(s.dial(), &greetd.Describe{}))
		if len(seat.Notices) == 0 || !strings.HasPrefix(seat.Notices[0], "The screen's X server could not be started for your session") {
			t.Errorf("%s: the login screen says %q", mood, seat.Notices)
		}
		settle(t, mood+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(mood)
	}
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
}

// The greeter's X server dies while the greeter leaves, or does not end when it is told to: the
// session starts in any case. A dying one does not hold up the next login screen either.
func TestAttackFirstXServer(t *testing.T) {
	s := moodyStation(t)
	for name, act := range map[string]func(net.Conn){
		"dies":  func(conn net.Conn) { s.kill("Xvfb"); conn.Close() },
		"hangs": func(conn net.Conn) { s.signal(s.xServer(), "STOP"); conn.Close() },
	} {
		greeter, mark := s.screen(), s.log.mark()
		act(s.begin())
		s.log.wait(t, mark, "the session has started")
		s.differs(s.screen(), greeter)
		s.waitWindow("icewm")
		x := s.xServer()
		mark = s.log.mark()
		s.endWithHungX()
		s.backAtLogin(mark, x)
		settle(t, name+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	}
}

// endWithHungX ends a session whose X server is stopped. ldm wakes it to end it.
func (s *station) endWithHungX() {
	s.t.Helper()
	s.signal(s.xServer(), "STOP") // the session cannot end in order then
	s.signal(running(s.t, s.Client, s.worker)[0], "KILL")
	settle(s.t, "the session is gone", func() bool {
		return len(running(s.t, s.Client, func(p testbed.Process) bool { return p.UID == s.session || p.UID >= 30000 })) == 0
	})
}

// TERM in each state takes everything down, and the next start finds nothing in its way.
func TestAttackTermInEachState(t *testing.T) {
	s := moodyStation(t)
	for _, state := range []struct {
		name  string
		reach func()
	}{
		{"leaving", func() { s.begin() }},
		{"switching, the old X server ends", func() {
			conn, x := s.begin(), s.xServer()
			s.signal(x, "STOP")
			conn.Close()
			settle(t, "the greeter is gone", func() bool { return len(running(t, s.Client, s.greeters)) == 0 })
		}},
		{"switching, the new X server starts", func() {
			s.mood("hangs")
			s.begin().Close()
			s.hangs()
		}},
		{"running", func() { s.login("anna", password, "icewm-session"); s.waitWindow("icewm") }},
		{"ending", func() {
			s.login("anna", password, "icewm-session")
			s.waitWindow("icewm")
			s.endWithHungX()
		}},
	} {
		state.reach()
		s.stop()
		if left := running(t, s.Client, everything); len(left) != 0 {
			t.Errorf("%s: left: %v", state.name, left)
		}
		sockets, err := s.Client.ReadDir("/tmp/.X11-unix")
		if err != nil || len(sockets) != 0 {
			t.Errorf("%s: sockets of displays: %v, %v", state.name, sockets, err)
		}
		if _, err := s.Client.Stat("/run/ldm/seat0"); !os.IsNotExist(err) {
			t.Errorf("%s: the seat's folder is left: %v", state.name, err)
		}
		s.start()
		settle(t, state.name+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	}
}

// Another user of the client takes the display's abstract name between the two X servers, or its
// file: the session gets another display, and the intruder nothing.
func TestAttackDisplayNameBetweenXServers(t *testing.T) {
	s := moodyStation(t)
	for what, prefix := range map[string]string{"abstract name": "@", "file": ""} {
		display := strings.TrimPrefix(s.display(), ":")
		s.mood("waits")
		mark := s.log.mark()
		s.begin().Close()
		settle(t, "the greeter's X server is gone", func() bool {
			sockets, err := s.Client.ReadDir("/tmp/.X11-unix")
			return err == nil && len(sockets) == 0
		})
		intruder, err := s.Client.Listen(t.Context(), "unix", prefix+"/tmp/.X11-unix/X"+display)
		s.must(err)
		if prefix == "" {
			_, err := s.Client.Output(t.Context(), "chown", "nobody", "/tmp/.X11-unix/X"+display)
			s.must(err)
		}
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			for {
				conn, err := intruder.Accept()
				if err != nil {
					return
				}
				conn.Close()
				t.Errorf("%s: somebody came", what)
			}
		}()
		s.must(s.Client.WriteFile("/tmp/x/go", nil, 0o644))
		s.log.wait(t, mark, "the session has started")
		settle(t, what+": the desktop is up", func() bool {
			return len(running(t, s.Server, func(p testbed.Process) bool { return p.Program() == "icewm" })) == 1
		})
		intruder.Close()
		<-heard
		_, err = s.Client.Output(t.Context(), "rm", "-f", "/tmp/x/go", "/tmp/.X11-unix/X"+display)
		s.must(err)
		mark = s.log.mark()
		s.logOut()
		s.log.wait(t, mark, greeterUp)
		settle(t, "anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	}
}
