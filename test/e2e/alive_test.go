package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/internal/xauth"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
	"goldm/server-agent/sessions"
)

// noticed is how long a cut or a hang may go unnoticed: half a minute, and what a machine takes
// that several tests share.
const noticed = 40 * time.Second

// inTime checks how long something took.
func inTime(t *testing.T, what string, began time.Time) {
	t.Helper()
	took := time.Since(began)
	if t.Logf("%s: %.1f s", what, took.Seconds()); took > noticed {
		t.Errorf("%s: noticed after %v", what, took)
	}
}

// slowly lets PAM take so many seconds for each answer.
func (s *station) slowly(seconds int) {
	s.t.Helper()
	s.pam(fmt.Sprintf("auth optional pam_exec.so quiet /bin/sleep %d", seconds))
}

// A cut cable gives a sentence in half a minute, in each state before the session.
func TestAttackCutCable(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, `LDM_SERVER="server server:23 server:24 server:25"`)
	s.start()
	fails := func(what string, began time.Time, response greetd.Response) {
		t.Helper()
		failed := expect[*greetd.Error](t, response)
		if inTime(t, what, began); failed.Description == "" || failed.Type != greetd.OtherError {
			t.Errorf("%s: %+v", what, failed)
		}
		t.Logf("%s: %s", what, failed.Description)
		s.must(s.Restore())
	}
	cut := func() time.Time { s.must(s.Lose()); return time.Now() }

	began := cut()
	fails("dialling", began, s.call(s.dial(), &greetd.CreateSession{Username: "anna"}))

	conn := s.dial()
	s.until(conn, "Password: ")
	began = cut()
	fails("at the answer", began, s.call(conn, answer(password)))

	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
	mark := s.log.mark()
	began = cut()
	s.log.wait(t, mark, "was lost")
	fails("authenticated", began, s.call(conn, &greetd.StartSession{Cmd: []string{"icewm-session"}}))

	s.expire()
	s.until(conn, "Current password: ")
	began = cut()
	fails("expired password", began, s.call(conn, answer(password)))
	s.must(s.Server.SetPassword(t.Context(), "anna", password))

	s.slowly(60)
	s.until(conn, "Password: ")
	s.must(greetd.WriteRequest(conn, answer(password)))
	settle(t, "PAM is at work", func() bool { return len(running(t, s.Server, named("sleep"))) == 1 })
	began = cut()
	fails("while PAM is at work", began, s.read(conn))
}

// A server whose PAM takes longer than a cut cable may is waited for.
func TestSlowPAM(t *testing.T) {
	s := newStation(t)
	s.slowly(45)
	s.configure(xvfb)
	s.start()
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}

// stopped stops the one process of a machine that a condition picks.
func (s *station) stopped(m *testbed.Machine, pick func(testbed.Process) bool) testbed.Process {
	s.t.Helper()
	var found []testbed.Process
	settle(s.t, "there is one to be stopped", func() bool {
		found = running(s.t, m, pick)
		return len(found) == 1
	})
	_, err := m.Output(s.t.Context(), "kill", "-STOP", strconv.Itoa(found[0].PID))
	s.must(err)
	return found[0]
}

// notice checks that the next login screen says something.
func (s *station) notice(words string) {
	s.t.Helper()
	seat := expect[*greetd.Seat](s.t, s.call(s.dial(), &greetd.Describe{}))
	if len(seat.Notices) == 0 || !strings.Contains(seat.Notices[0], words) {
		s.t.Errorf("the login screen says %q, want %q", seat.Notices, words)
	}
}

// Programs that are stopped at the login screen are replaced, and the person reads why.
func TestAttackStoppedAtTheLoginScreen(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.title("User name")

	mark, began := s.log.mark(), time.Now()
	probe, greeter := s.stopped(s.Client, s.probe), s.stopped(s.Client, named("ldm-greeter"))
	s.log.wait(t, mark, greeterUp)
	inTime(t, "greeter", began)
	s.notice("login screen stopped answering")
	settle(t, "the probe is another one", func() bool {
		found := running(t, s.Client, s.probe)
		return len(found) == 1 && found[0].PID != probe.PID
	})
	if slices.ContainsFunc(running(t, s.Client, named("ldm-greeter")), func(p testbed.Process) bool { return p.PID == greeter.PID }) {
		t.Error("the old greeter is left")
	}
	s.title("User name") // it does not say that it is gone

	conn := s.dial()
	for _, state := range []string{"asking", "checking"} {
		s.until(conn, "Password: ")
		began = time.Now()
		s.stopped(s.Client, s.worker)
		if state == "checking" {
			s.must(greetd.WriteRequest(conn, answer(password)))
			failed := expect[*greetd.Error](t, s.read(conn))
			t.Log(failed.Description)
		} else {
			settle(t, "the worker is gone", func() bool { return len(running(t, s.Client, s.worker)) == 0 })
			expect[*greetd.Error](t, s.call(conn, answer(password)))
		}
		inTime(t, "worker, "+state, began)
	}
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
	began = time.Now()
	s.stopped(s.Client, s.worker)
	settle(t, "the worker is gone", func() bool { return len(running(t, s.Client, s.worker)) == 0 })
	inTime(t, "worker, ready", began)
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
	expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))

	x := s.xServer()
	mark, began = s.log.mark(), time.Now()
	s.stopped(s.Client, named("Xvfb"))
	s.backAtLogin(mark, x)
	inTime(t, "X server", began)
	s.notice("X server stopped answering")
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}

// A worker or an X server that is stopped in a session ends it, with a sentence, and leaves nothing.
func TestAttackStoppedInASession(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	for what, pick := range map[string]func(testbed.Process) bool{"login program": s.worker, "X server": named("Xvfb")} {
		x := s.xServer()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		mark, began := s.log.mark(), time.Now()
		s.stopped(s.Client, pick)
		s.backAtLogin(mark, x)
		inTime(t, what, began)
		s.notice(what + " stopped answering")
		settle(t, "anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(what)
	}
}

// What is stopped on the server ends the session, with a sentence, and leaves nothing.
func TestAttackStoppedOnTheServer(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_X11=accelerated", "SOUND=False")
	s.start()
	first := func(name string) func(testbed.Process) bool {
		return func(p testbed.Process) bool { return len(p.Command) > 1 && p.Command[0] == name && !farHalf(p) }
	}
	for what, pick := range map[string]func(testbed.Process) bool{
		"keeper": first(sessions.Keeper), "wrapper": first(sessions.Wrapper), "far half": farHalf,
	} {
		x := s.xServer()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		mark, began := s.log.mark(), time.Now()
		s.stopped(s.Server, pick)
		s.backAtLogin(mark, x)
		inTime(t, what, began)
		said := s.lastWord()
		if t.Logf("%s: %s", what, said); said == "" {
			t.Errorf("%s: the login screen says nothing", what)
		}
		settle(t, what+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(what)
	}
}

// A client that sleeps is told when it wakes that its session is over.
func TestAttackSleepingClient(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	all := running(t, s.Client, func(p testbed.Process) bool { return p.PID != 1 && p.State != "Z" })
	signal := func(name string) {
		argv := []string{"kill", "-" + name}
		for _, p := range all {
			argv = append(argv, strconv.Itoa(p.PID))
		}
		_, err := s.Client.Output(t.Context(), argv...)
		s.must(err)
	}
	mark := s.log.mark()
	signal("STOP")
	settle(t, "the server gives the client up", func() bool { return len(s.anna()) == 0 })
	signal("CONT")
	s.log.wait(t, mark, greeterUp)
	said := s.lastWord()
	if t.Log(said); !strings.Contains(said, "sleeps") && !strings.Contains(said, "lost") {
		t.Errorf("the login screen says %q", said)
	}
}

// A worker that answers what it was not asked, twice, or without end, is ended with its login; the next one
// works.
func TestAttackAnswers(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "SOUND=False")
	s.start()
	for name, attack := range map[string]func(w *fakeWorker){
		"not asked": func(w *fakeWorker) { w.conn.Send(&wire.Pong{ID: 1000}) },
		"twice":     func(w *fakeWorker) { w.conn.Send(&wire.Pong{ID: 1}); w.conn.Send(&wire.Pong{ID: 1}) },
		"no number": func(w *fakeWorker) { w.sendRaw([]byte(`{"type":"pong"}`)) },
		"nonsense":  func(w *fakeWorker) { w.sendRaw([]byte(`{"type":"pong","id":-1}`)) },
		"a ping":    func(w *fakeWorker) { w.sendRaw([]byte(`{"type":"ping","id":1}`)) },
		"without end": func(w *fakeWorker) {
			for id := uint32(1); w.conn.Send(&wire.Pong{ID: id}) == nil; id++ {
			}
		},
	} {
		w := s.fakeLogin("berta")
		mark := s.log.mark()
		attack(w)
		s.log.wait(t, mark, greeterUp)
		if said := s.lastWord(); !strings.Contains(said, "The log says more") && !strings.Contains(said, "the log says more") {
			t.Errorf("%s: the login screen says %q", name, said)
		}
		if lines := strings.Count(s.log.String()[mark:], "\n"); lines > 60 {
			t.Errorf("%s: %d lines in the log", name, lines)
		}
	}
}

// grab has a program of the client hold the X server until release.
func (s *station) grab() (release func()) {
	s.t.Helper()
	file, err := s.Client.ReadFile(xCookies)
	s.must(err)
	conn, err := s.Client.Dial(s.t.Context(), "unix", "/tmp/.X11-unix/X"+strings.TrimPrefix(s.display(), ":"))
	s.must(err)
	s.must(conn.SetDeadline(time.Now().Add(3 * limit)))
	setup := []byte{'l', 0, 11, 0, 0, 0, byte(len(xauth.MITMagicCookie)), 0, 16, 0, 0, 0}
	setup = append(setup, xauth.MITMagicCookie+"\x00\x00"...)
	_, err = conn.Write(append(setup, file[len(file)-16:]...))
	s.must(err)
	head := make([]byte, 8)
	_, err = io.ReadFull(conn, head)
	s.must(err)
	_, err = io.CopyN(io.Discard, conn, 4*int64(binary.LittleEndian.Uint16(head[6:])))
	s.must(err)
	_, err = conn.Write([]byte{36, 0, 1, 0, 43, 0, 1, 0}) // GrabServer, GetInputFocus
	s.must(err)
	_, err = io.ReadFull(conn, make([]byte, 32))
	s.must(err)
	return func() { conn.Close() }
}

// A program that holds the X server for a minute costs nobody the login screen, and nobody the session.
func TestAttackHeldServer(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.title("User name")
	hold := func() {
		t.Helper()
		mark, release := s.log.mark(), s.grab()
		s.log.wait(t, mark, "GrabServer")
		time.Sleep(45 * time.Second) // twice as long as a server that is stopped has
		release()
		s.log.wait(t, mark, "answers again")
		said := s.log.String()[mark:]
		if n := strings.Count(said, "GrabServer"); n != 1 || strings.Contains(said, "killed") {
			t.Errorf("%d lines:\n%s", n, said)
		}
	}
	greeter := running(t, s.Client, named("ldm-greeter"))
	hold()
	s.title("User name")
	if after := running(t, s.Client, named("ldm-greeter")); len(after) != 1 || after[0].PID != greeter[0].PID {
		t.Errorf("another greeter: %v", after)
	}
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	x := s.xServer()
	hold()
	s.waitWindow("icewm")
	if now := s.xServer(); now.PID != x.PID || len(s.anna()) == 0 {
		t.Errorf("X server %v, session %v", now, s.anna())
	}
}

// keyEvents is what a keyboard says when the keys go down.
func keyEvents(codes ...uint16) []byte {
	var b []byte
	for _, code := range codes {
		b = append(b, make([]byte, 16)...)
		b = binary.LittleEndian.AppendUint16(b, 1)
		b = binary.LittleEndian.AppendUint16(b, code)
		b = binary.LittleEndian.AppendUint32(b, 1)
	}
	return b
}

// The abort key ends a session whose X server is held, and does nothing at the login screen.
func TestAttackAbortKey(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_ABORT_KEY=True")
	// A keyboard of pipe: this machine may have no other.
	_, err := s.Client.Output(t.Context(), "sh", "-c", "mkdir -p /dev/input && mkfifo /dev/input/event0")
	s.must(err)
	keys := s.Client.Command(t.Context(), "root", "sh", "-c", "exec 3<>/dev/input/event0; cat >&3")
	in, keyboard := io.Pipe()
	keys.Stdin = in
	s.must(keys.Start())
	defer keyboard.Close()
	s.start()
	x := s.xServer()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	defer s.grab()()
	mark, began := s.log.mark(), time.Now()
	for range 3 { // once is enough
		keyboard.Write(keyEvents(29, 56, 14))
	}
	s.backAtLogin(mark, x)
	inTime(t, "abort key", began)
	s.notice("Ctrl+Alt+Backspace")
	if n := strings.Count(s.log.String(), "abort key"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
	settle(t, "anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	keyboard.Write(keyEvents(29, 56, 14))
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
}
