package e2e

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// anna returns the processes of the user on the server, sshd's own aside.
func (s *station) anna() []testbed.Process {
	s.t.Helper()
	uid := s.serverUID("anna")
	return running(s.t, s.Server, func(p testbed.Process) bool {
		return p.UID == uid && p.State != "Z" && !strings.HasPrefix(p.Program(), "sshd")
	})
}

func (s *station) serverUID(name string) int {
	s.t.Helper()
	out, err := s.Server.Output(s.t.Context(), "id", "-u", name)
	s.must(err)
	var uid int
	_, err = fmt.Sscan(out, &uid)
	s.must(err)
	return uid
}

// display returns the seat's display.
func (s *station) display() string {
	s.t.Helper()
	var sockets []fs.DirEntry
	settle(s.t, "there is one display", func() bool {
		var err error
		sockets, err = s.Client.ReadDir("/tmp/.X11-unix")
		return err == nil && len(sockets) == 1
	})
	return ":" + strings.TrimPrefix(sockets[0].Name(), "X")
}

// onDisplay runs an X program of the client on the seat's display.
func (s *station) onDisplay(argv ...string) (string, error) {
	s.t.Helper()
	c := s.Client.Command(s.t.Context(), "root", argv...)
	c.Env = append(c.Env, "DISPLAY="+s.display(), "XAUTHORITY="+xCookies)
	out, err := c.Output()
	return string(out), err
}

// waitWindow waits until a window with that class is on the seat's screen.
func (s *station) waitWindow(class string) {
	s.t.Helper()
	settle(s.t, class+" is on the screen", func() bool {
		out, err := s.onDisplay("xwininfo", "-root", "-tree")
		return err == nil && strings.Contains(out, class)
	})
}

// as runs a command in the session of the server's user anna.
func (s *station) as(argv ...string) (string, error) {
	s.t.Helper()
	var env []string
	for _, p := range s.anna() {
		if p.Program() == "icewm" {
			var err error
			env, err = s.Server.Environ(p.PID)
			s.must(err)
		}
	}
	c := s.Server.Command(s.t.Context(), "anna", argv...)
	c.Env = env
	out, err := c.Output()
	return string(out), err
}

// backAtLogin waits for the fresh login screen after a mark and checks that
// nothing of the session is left on the client.
func (s *station) backAtLogin(mark int, oldX testbed.Process) {
	s.t.Helper()
	s.log.wait(s.t, mark, greeterUp)
	if left := running(s.t, s.Client, s.worker); len(left) != 0 {
		s.t.Errorf("left of the session: %v", left)
	}
	if x := s.xServer(); x.PID == oldX.PID {
		s.t.Error("the X server is the session's own")
	}
}

func (s *station) xServer() testbed.Process {
	s.t.Helper()
	servers := running(s.t, s.Client, func(p testbed.Process) bool {
		return p.State != "Z" && slices.Contains([]string{"Xvfb", "Xorg", "Xephyr"}, p.Program())
	})
	if len(servers) != 1 {
		s.t.Fatalf("X servers: %v", servers)
	}
	return servers[0]
}

// A login with the desktop on the screen, a logout, and again.
func TestLogin(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	for range 2 {
		x := s.xServer()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		if left := running(t, s.Client, named("ldm-greeter")); len(left) != 0 {
			t.Errorf("the greeter stays: %v", left)
		}
		mark := s.log.mark()
		s.logOut()
		s.backAtLogin(mark, x)
		settle(t, "anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	}
}

// logOut ends the desktop as its menu does.
func (s *station) logOut() {
	s.t.Helper()
	if _, err := s.Server.Output(s.t.Context(), "pkill", "-TERM", "-x", "icewm-session"); err != nil {
		s.t.Fatal(err)
	}
}

// The session has the environment that programs and site scripts rely on.
func TestSessionEnvironment(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.WriteFile("/etc/profile.d/site.sh", []byte("export FROM_PROFILE=yes\n"), 0o644))
	s.configure(xvfb, "LDM_LANGUAGE=de_DE.UTF-8", "LDM_SESSION=icewm-session")
	s.start()
	s.login("anna", password)
	s.waitWindow("icewm")
	out, err := s.as("env")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"LTSP_CLIENT=" + s.Client.Address().String() + "\n", "LTSP_CLIENT_HOSTNAME=client\n", "LTSP_CLIENT_MAC=",
		"LDM_USERNAME=anna\n", "LANG=de_DE.UTF-8\n", "DESKTOP_SESSION=icewm-session\n", "XDG_SESSION_TYPE=x11\n",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/ltsp-session-", "XDG_RUNTIME_DIR=/tmp/ltsp-session-", "LTSP_SESSION_ID=", "FROM_PROFILE=yes\n", "HOME=/home/anna\n", "DISPLAY=",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, internal := range []string{"LTSP_SESSION_BEGAN", "LTSP_ONE_SESSION"} {
		if strings.Contains(out, internal) {
			t.Errorf("%s is for the agent alone", internal)
		}
	}
	// What the forwarded display does not offer: shared memory, and what sees into other clients.
	out, err = s.as("xdpyinfo")
	if err != nil || !strings.Contains(out, "RENDER") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, hidden := range []string{"MIT-SHM", "DRI", "RECORD", "SECURITY", "X-Resource"} {
		if strings.Contains(out, hidden) {
			t.Errorf("%s is offered", hidden)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	x, conn := s.xServer(), s.dial()
	for _, wrong := range []string{"wrong", "", strings.Repeat("x", 4000)} {
		failed := expect[*greetd.Error](t, s.authenticate(conn, "anna", wrong))
		if failed.Type != greetd.AuthError || !strings.Contains(failed.Description, "did not accept") {
			t.Errorf("got %+v", failed)
		}
	}
	unknown := expect[*greetd.Error](t, s.authenticate(conn, "nobody-of-that-name", password))
	if unknown.Type != greetd.AuthError {
		t.Errorf("got %+v", unknown)
	}
	for _, name := range []string{"-oProxyCommand=touch /tmp/owned", "two words", "SCHOOL\\anna", "ä€"} {
		expect[*greetd.Error](t, s.authenticate(conn, name, password))
	}
	if now := s.xServer(); now.PID != x.PID {
		t.Error("a wrong password cost the X server")
	}
	if n := strings.Count(s.log.String(), "msg=started process=greeter"); n != 1 {
		t.Errorf("the greeter was started %d times", n)
	}
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
}

// A server without the agent takes the login the plain way, and the log says so.
func TestPlainWay(t *testing.T) {
	s := newStation(t, plain)
	s.configure(xvfb)
	s.start()
	x := s.xServer()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	s.log.wait(t, 0, "ltsp-server-agent")
	mark := s.log.mark()
	s.logOut()
	s.backAtLogin(mark, x)
}

// What dies in a session brings the login screen back, and the reason.
func TestKillEachProcessInASession(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	tests := map[string]func(){
		"worker":   func() { s.signal(running(t, s.Client, s.worker)[0], "SEGV") },
		"X server": func() { s.signal(s.xServer(), "KILL") },
		"agent":    func() { s.killOnServer("ltsp-server-agent") },
		"keeper":   func() { s.killOnServer("ltsp-session-keeper") },
		"sshd":     func() { s.Server.Output(t.Context(), "pkill", "-KILL", "-u", "anna", "sshd") },
	}
	for name, kill := range tests {
		x := s.xServer()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		mark := s.log.mark()
		kill()
		s.backAtLogin(mark, x)
		seat := expect[*greetd.Seat](t, s.call(s.dial(), &greetd.Describe{}))
		if len(seat.Notices) == 0 {
			t.Errorf("%s: the next login screen has no reason", name)
		} else {
			t.Logf("%s: %s", name, seat.Notices[0])
		}
		settle(t, name+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(name)
	}
}

// killOnServer kills anna's programs of that name.
func (s *station) killOnServer(name string) {
	s.t.Helper()
	found := slices.DeleteFunc(s.anna(), func(p testbed.Process) bool { return p.Program() != name })
	if len(found) == 0 {
		s.t.Errorf("there is no %s", name)
	}
	kill := []string{"kill", "-KILL"} // at once: one's end may be the other's
	for _, p := range found {
		kill = append(kill, fmt.Sprint(p.PID))
	}
	_, err := s.Server.Output(s.t.Context(), kill...)
	s.must(err)
}

// noFiles checks that no session has left a file in the server's temporary folders. A
// runtime directory is not the session's.
func (s *station) noFiles(when string) {
	s.t.Helper()
	out, err := s.Server.Output(s.t.Context(), "find", "/tmp", "/var/tmp", "/run/user", "/dev/shm", "-mindepth", "1", "-user", "anna",
		"-not", "-path", "/run/user/[0-9]*", "-o", "-name", "ltsp-*")
	if err != nil && out == "" {
		s.t.Logf("%s: %v", when, err) // not all of them exist
	}
	if out != "" {
		s.t.Errorf("%s: left behind:\n%s", when, out)
	}
}

// The agent ends what belongs to the session, daemons included, and nothing else.
func TestAgentEndsTheSessionWhole(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.startup(`setsid sh -c 'trap "" TERM HUP; sleep 1001; sleep 1002' >/dev/null 2>&1 &
(sleep 1003 &) >/dev/null 2>&1
xterm -xrm "` + keepTitle + `" -T "in the session" &
`)
	other := s.Server.Command(t.Context(), "anna", "sleep", "54321")
	s.must(other.Start())

	tests := map[string]func(){
		"logout":        s.logOut,
		"client killed": func() { s.ldm.Process.Kill(); s.ldm.Wait() },
		"network lost":  func() { s.must(s.Lose()) },
	}
	for _, name := range []string{"logout", "client killed", "network lost"} {
		if s.ldm.ProcessState != nil {
			s.start()
		}
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		s.waitWindow("in the session")
		settle(t, "its daemons run", func() bool {
			return len(running(t, s.Server, func(p testbed.Process) bool { return p.Program() == "sleep" })) == 3
		})
		mark := s.log.mark()
		tests[name]()
		settle(t, name+": only the other process is left", func() bool { return len(s.anna()) == 1 })
		if left := s.anna(); !slices.Equal(left[0].Command, []string{"sleep", "54321"}) {
			t.Errorf("%s: left is %v", name, left)
		}
		if name != "client killed" {
			s.log.wait(t, mark, greeterUp)
		}
	}
	s.must(other.Process.Signal(syscall.SIGTERM))
	other.Wait()
}

// startup gives anna's desktop programs to start.
func (s *station) startup(script string) {
	s.t.Helper()
	write := s.Server.Command(s.t.Context(), "anna", "sh", "-c", "mkdir -p .icewm && cat > .icewm/startup && chmod +x .icewm/startup")
	write.Stdin = strings.NewReader("#!/bin/sh\n" + script)
	s.must(write.Run())
}

// A dead connection is noticed within 30 s, and said.
func TestDeadConnection(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	x := s.xServer()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	mark := s.log.mark()
	s.must(s.Lose())
	s.backAtLogin(mark, x)
	seat := expect[*greetd.Seat](t, s.call(s.dial(), &greetd.Describe{}))
	if len(seat.Notices) == 0 || !strings.Contains(seat.Notices[0], "lost") {
		t.Errorf("the login screen says %q", seat.Notices)
	}
	failed := expect[*greetd.Error](t, s.authenticate(s.dial(), "anna", password))
	if failed.Type != greetd.OtherError {
		t.Errorf("got %+v", failed)
	}
	s.must(s.Restore())
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}
