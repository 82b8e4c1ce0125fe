package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/internal/xauth"
	"goldm/ldm/greetd"
)

// A hundred logins, every third given up, cost ldm no descriptor and leave
// nothing on either machine.
func TestHundredLogins(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	conn := s.dial()
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
	expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
	s.quiet()
	before := s.descriptors()
	for i := range 100 {
		if i%3 == 2 {
			expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
		} else {
			expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
		}
		expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
	}
	s.quiet()
	settle(t, "ldm holds no more descriptors", func() bool { return s.descriptors() <= before })
}

// descriptors counts ldm's open files.
func (s *station) descriptors() int {
	s.t.Helper()
	entries, err := s.Client.ReadDir("/proc/" + strconv.Itoa(s.daemon().PID) + "/fd")
	s.must(err)
	return len(entries)
}

func (s *station) daemon() testbed.Process {
	s.t.Helper()
	found := running(s.t, s.Client, func(p testbed.Process) bool { return p.Program() == "ldm" && p.UID == 0 })
	if len(found) == 0 {
		s.t.Fatal("ldm does not run")
	}
	return found[0]
}

// quiet waits until nothing is left of any try, on either machine.
func (s *station) quiet() {
	s.t.Helper()
	settle(s.t, "no worker is left", func() bool { return len(running(s.t, s.Client, s.worker)) == 0 })
	settle(s.t, "sshd serves nobody", func() bool {
		return len(running(s.t, s.Server, func(p testbed.Process) bool {
			return strings.HasPrefix(strings.Join(p.Command, " "), "sshd: ") && !strings.Contains(strings.Join(p.Command, " "), "[listener]")
		})) == 0
	})
}

// Cancel at each moment: before the question, at it, while the answer is checked.
func TestCancelAtAnyMoment(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	wrong := "wrong"
	for name, cancel := range map[string]func(){
		"before the question": func() {
			conn := s.dial()
			s.must(greetd.WriteRequest(conn, &greetd.CreateSession{Username: "anna"}))
			conn.Close()
		},
		"at the question": func() {
			conn := s.dial()
			expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
			expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
		},
		"at the question, by hanging up": func() {
			conn := s.dial()
			expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
			conn.Close()
		},
		"while the answer is checked": func() {
			conn := s.dial()
			expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
			s.must(greetd.WriteRequest(conn, &greetd.PostResponse{Response: &wrong}))
			// In order: what the open request gets, then the cancel's own.
			expect[*greetd.Error](t, s.call(conn, &greetd.CancelSession{}))
			expect[*greetd.Success](t, s.read(conn))
		},
		"when it has succeeded": func() {
			conn := s.dial()
			expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
			conn.Close()
		},
	} {
		cancel()
		t.Log(name)
		s.quiet()
		expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
	}
}

// Two greeters at once: the newer one wins, the older one is told.
func TestTwoGreeters(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	old, young := s.dial(), s.dial()
	expect[*greetd.AuthMessage](t, s.call(old, &greetd.CreateSession{Username: "anna"}))
	expect[*greetd.AuthMessage](t, s.call(young, &greetd.CreateSession{Username: "anna"}))
	expect[*greetd.Error](t, s.call(old, answer(password)))
	expect[*greetd.Success](t, s.call(young, answer(password)))
	expect[*greetd.Error](t, s.call(old, &greetd.StartSession{}))
	old.Close()
	expect[*greetd.Success](t, s.call(young, &greetd.StartSession{Cmd: []string{"icewm-session"}}))
	young.Close()
	s.waitWindow("icewm")
}

// The greeter dies, and the server dies, in the middle of the dialogue.
func TestDeathInTheMiddleOfTheDialogue(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.title("User name")
	s.typed("anna")
	s.title("Password:")
	mark := s.log.mark()
	s.kill("ldm-greeter")
	s.log.wait(t, mark, greeterUp)
	s.quiet()

	conn := s.dial()
	expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
	_, err := s.Server.Output(t.Context(), "pkill", "-KILL", "-x", "sshd")
	s.must(err)
	failed := expect[*greetd.Error](t, s.call(conn, answer(password)))
	if failed.Type != greetd.OtherError {
		t.Errorf("got %+v", failed)
	}
	t.Log(failed.Description)
	_, err = s.Server.StartSSHD(t.Context(), testbed.SSHDOptions{Log: s.sshd})
	s.must(err)
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
}

// Nothing listens on the client's network, at the login screen or in a session.
func TestClientListensNowhere(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.listensNowhere()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	s.listensNowhere()
}

func (s *station) listensNowhere() {
	s.t.Helper()
	out, err := s.Client.Output(s.t.Context(), "ss", "--no-header", "--listening", "--tcp", "--udp", "--numeric")
	s.must(err)
	if strings.TrimSpace(out) != "" {
		s.t.Errorf("the client listens: %s", out)
	}
}

// A remote program that names shared memory by number gets BadRequest, and harms nothing.
func TestSharedMemoryByNumber(t *testing.T) {
	for way, at := range map[string]struct{ network, address string }{
		"forwarded":   {"tcp", "127.0.0.1:6010"},
		"accelerated": {"unix", "/tmp/.X11-unix/X100"},
	} {
		t.Run(way, func(t *testing.T) {
			s := newStation(t)
			s.configure(xvfb, "LDM_X11="+way)
			s.start()
			s.login("anna", password, "icewm-session")
			s.waitWindow("icewm")
			opcode := s.sharedMemory()
			authority := strings.TrimSpace(s.shell("echo ${XAUTHORITY:-$HOME/.Xauthority}"))
			got := s.attachByNumber(opcode, authority, at.network, at.address)
			if want := fmt.Sprintf("error 1 major %d minor 1 then focus\n", opcode); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			s.waitWindow("icewm")
		})
	}
}

// sharedMemory returns the opcode that the X server itself has for MIT-SHM.
func (s *station) sharedMemory() (opcode int) {
	s.t.Helper()
	c := s.Client.Command(s.t.Context(), "root", "xdpyinfo", "-queryExtensions")
	c.Env = append(c.Env, "DISPLAY="+s.display(), "XAUTHORITY="+xCookies)
	out, err := c.Output()
	s.must(err)
	for line := range strings.Lines(string(out)) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), "  (opcode: "); ok && name == "MIT-SHM" {
			fmt.Sscanf(rest, "%d", &opcode)
		}
	}
	if opcode < 128 {
		s.t.Fatalf("the X server itself has no MIT-SHM: %s", out)
	}
	return opcode
}

// attachByNumber connects to the session's display on the server, sends ShmAttach
// with the X server's own opcode and GetInputFocus, and says what came back
// (X11 protocol, section 8 and appendix B; MIT-SHM, appendix).
func (s *station) attachByNumber(opcode int, authority, network, address string) string {
	s.t.Helper()
	file, err := s.Server.ReadFile(authority)
	s.must(err)
	entries, err := xauth.Read(bytes.NewReader(file))
	if err != nil || len(entries) == 0 {
		s.t.Fatalf("%v, %v", entries, err)
	}
	conn, err := s.Server.Dial(s.t.Context(), network, address)
	s.must(err)
	defer conn.Close()
	s.must(conn.SetDeadline(time.Now().Add(limit)))

	setup := []byte{'l', 0, 11, 0, 0, 0, byte(len(xauth.MITMagicCookie)), 0, byte(len(entries[0].Data)), 0, 0, 0}
	setup = append(setup, xauth.MITMagicCookie+"\x00\x00"...)
	_, err = conn.Write(append(setup, entries[0].Data...))
	s.must(err)
	head := make([]byte, 8)
	_, err = io.ReadFull(conn, head)
	s.must(err)
	_, err = io.CopyN(io.Discard, conn, 4*int64(binary.LittleEndian.Uint16(head[6:])))
	s.must(err)
	if head[0] != 1 {
		s.t.Fatal("the display refused the connection")
	}
	attach := []byte{byte(opcode), 1, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}
	_, err = conn.Write(append(attach, 43, 0, 1, 0))
	s.must(err)
	answer, reply := make([]byte, 32), make([]byte, 32)
	_, err = io.ReadFull(conn, answer)
	s.must(err)
	_, err = io.ReadFull(conn, reply)
	s.must(err)
	then := "nothing"
	if reply[0] == 1 && binary.LittleEndian.Uint16(reply[2:]) == 2 {
		then = "focus"
	}
	return fmt.Sprintf("error %d major %d minor %d then %s\n", answer[1], answer[10], binary.LittleEndian.Uint16(answer[8:]), then)
}
