package e2e

import (
	"encoding/binary"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// The daemon outlives whatever a greeter sends, and the next login works.
func TestBadGreeters(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()

	frame := func(n uint32, body string) []byte {
		return append(binary.NativeEndian.AppendUint32(nil, n), body...)
	}
	broken := map[string][]byte{
		"half a length": {7, 0},
		"half a frame":  frame(100, `{"type":"create_`),
		"4 GB":          frame(1<<32-1, "{"),
		"noise":         []byte(strings.Repeat("\xff\x00\x7f", 1000)),
	}
	for name, bytes := range broken {
		conn := s.dial()
		if _, err := conn.Write(bytes); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "4 GB" || name == "noise" {
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%s: the connection was not ended: %v", name, err)
			}
		}
		conn.Close()
	}
	conn := s.dial()
	for _, body := range []string{"", "null", "[]", `{"type":"dance"}`, "\x00\x01\x02", `{"type":"create_session","username":7}`} {
		if _, err := conn.Write(frame(uint32(len(body)), body)); err != nil {
			t.Fatal(err)
		}
		expect[*greetd.Error](t, s.read(conn))
	}
	for _, name := range []string{"", "an\x00na", "an\nna", strings.Repeat("a", 10<<10)} {
		expect[*greetd.Error](t, s.call(conn, &greetd.CreateSession{Username: name}))
	}
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
}

// Nobody but the greeter's user talks to the daemon, root included.
func TestOnlyTheGreetersUserIsServed(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	conn, err := s.Client.Dial(t.Context(), "unix", "/run/ldm/seat0/greetd.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	greetd.WriteRequest(conn, &greetd.Describe{})
	if _, err := greetd.ReadResponse(conn); err == nil {
		t.Fatal("root was answered")
	}
	if conn, err := s.Client.DialAs(t.Context(), s.session, s.session, "unix", "/run/ldm/seat0/greetd.sock"); err == nil {
		conn.Close()
		t.Fatal("_ldm-session reached the socket")
	}
}

// kill ends a process of the client as a fault would, and waits until it is gone.
func (s *station) kill(program string) {
	s.t.Helper()
	var victims []testbed.Process
	settle(s.t, program+" runs", func() bool { // it may be starting again
		victims = running(s.t, s.Client, named(program))
		return len(victims) > 0
	})
	for _, v := range victims {
		s.signal(v, "KILL")
	}
	settle(s.t, program+" is gone", func() bool {
		return len(running(s.t, s.Client, func(p testbed.Process) bool {
			return slices.ContainsFunc(victims, func(v testbed.Process) bool { return p.PID == v.PID })
		})) == 0
	})
}

func (s *station) signal(p testbed.Process, name string) {
	s.t.Helper()
	if _, err := s.Client.Output(s.t.Context(), "kill", "-"+name, strconv.Itoa(p.PID)); err != nil {
		s.t.Fatal(err)
	}
}

// Whatever dies, the login screen comes back on a fresh X server and works.
func TestKillEachProcessAtTheLoginScreen(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	for _, program := range []string{"ldm-greeter", "Xvfb"} {
		mark := s.log.mark()
		s.kill(program)
		s.log.wait(t, mark, greeterUp)
	}
	// The second time in a row, too: the pauses between restarts have an end.
	mark := s.log.mark()
	s.kill("ldm-greeter")
	s.log.wait(t, mark, greeterUp)
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}

// A killed ldm takes everything with it, and a new one finds nothing in its way.
func TestKilledDaemonLeavesNothing(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	for range 2 {
		expect[*greetd.AuthMessage](t, s.call(s.dial(), &greetd.CreateSession{Username: "anna"}))
		s.ldm.Process.Kill()
		s.ldm.Wait()
		settle(t, "nothing runs on the client", func() bool { return len(running(t, s.Client, everything)) == 0 })
		s.start()
	}
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}

// TERM ends the seat in order and leaves no file.
func TestTerminatedDaemonLeavesNothing(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	expect[*greetd.AuthMessage](t, s.call(s.dial(), &greetd.CreateSession{Username: "anna"}))
	s.must(s.ldm.Process.Signal(syscall.SIGTERM))
	s.ldm.Wait()
	if left := running(t, s.Client, everything); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for _, dir := range []string{"/run/ldm", "/tmp/.X11-unix"} {
		entries, err := s.Client.ReadDir(dir)
		if err != nil || len(entries) != 0 {
			t.Errorf("%s holds %v, %v", dir, entries, err)
		}
	}
}

func everything(p testbed.Process) bool { return p.State != "Z" }

// An X server that will not start is told on the console and tried again.
func TestXServerThatWillNotStart(t *testing.T) {
	s := newStation(t)
	s.must(s.Client.WriteFile("/usr/local/bin/moody-x", []byte(`#!/bin/sh
[ -e /tmp/tried-twice ] && exec Xvfb "$@"
[ -e /tmp/tried ] && touch /tmp/tried-twice
touch /tmp/tried
echo "no screens found, try the other cable" >&2
exit 1
`), 0o755))
	s.must(s.Client.WriteFile("/dev/console", nil, 0o600))
	s.configure("XSERVER=moody-x")
	s.start()
	console, err := s.Client.ReadFile("/dev/console")
	if err != nil || strings.Count(string(console), "no screens found, try the other cable") != 2 {
		t.Errorf("the console says %q, %v", console, err)
	}
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}
