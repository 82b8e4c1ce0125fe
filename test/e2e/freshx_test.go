package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/tagged"
	"goldm/internal/testbed"
	"goldm/internal/xauth"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
	"goldm/test/bench/xclient"
)

// screen is an X server of the seat, as root sees it.
type screen struct {
	pid    int
	cookie []byte
	file   uint64 // inode of the cookie's file
}

// screen returns the seat's X server, of which there is one.
func (s *station) screen() screen {
	s.t.Helper()
	now := screen{pid: s.xServer().PID}
	data, err := s.Client.ReadFile(xCookies)
	s.must(err)
	entries, err := xauth.Read(bytes.NewReader(data))
	if err != nil || len(entries) != 1 {
		s.t.Fatalf("%s: %v, %v", xCookies, entries, err)
	}
	now.cookie = entries[0].Data
	info, err := s.Client.Stat(xCookies)
	s.must(err)
	now.file = info.Sys().(*syscall.Stat_t).Ino
	return now
}

// differs checks that a screen has nothing in common with an earlier one, and that the earlier
// one's cookie opens nothing.
func (s *station) differs(now, earlier screen) {
	s.t.Helper()
	if now.pid == earlier.pid || now.file == earlier.file || bytes.Equal(now.cookie, earlier.cookie) {
		s.t.Errorf("an X server like the last: %v, %v", now.pid, earlier.pid)
	}
	if c, err := s.connectX(earlier.cookie); err == nil {
		c.Close()
		s.t.Error("the last X server's cookie opens this one")
	}
	sockets, err := s.Client.ReadDir("/tmp/.X11-unix")
	if err != nil || len(sockets) != 1 {
		s.t.Errorf("sockets of displays: %v, %v", sockets, err)
	}
}

// connectX connects to the seat's display with a cookie, from outside of all process groups.
func (s *station) connectX(cookie []byte) (*xclient.Conn, error) {
	s.t.Helper()
	conn, err := s.Client.Dial(s.t.Context(), "unix", "/tmp/.X11-unix/X"+strings.TrimPrefix(s.display(), ":"))
	s.must(err)
	s.must(conn.SetDeadline(time.Now().Add(limit)))
	return xclient.New(conn, xauth.MITMagicCookie, cookie)
}

// X11 protocol, appendix B.
const (
	setSelectionOwner = 22
	getSelectionOwner = 23
	grabKeyboard      = 31
	ungrabKeyboard    = 32
	grabServer        = 36
	atomPrimary       = 1
)

// seize connects and takes what one client can keep from all others: a selection, the keyboard,
// the server.
func (s *station) seize(cookie []byte) *xclient.Conn {
	s.t.Helper()
	c, err := s.connectX(cookie)
	s.must(err)
	window, err := c.Window("hostile", 10, 10, 0)
	s.must(err)
	s.must(c.Send(setSelectionOwner, 0, xclient.Words(window, atomPrimary, 0)))
	if status := s.grabKeyboard(c); status != 0 {
		s.t.Fatalf("the keyboard is another's: %d", status)
	}
	s.must(c.Send(grabServer, 0))
	s.must(c.RoundTrip())
	return c
}

// grabKeyboard returns the status of GrabKeyboard, 0 for success.
func (s *station) grabKeyboard(c *xclient.Conn) byte {
	s.t.Helper()
	s.must(c.Send(grabKeyboard, 0, xclient.Words(c.Root, 0, 1<<8|1))) // asynchronous, both
	reply, err := c.Reply()
	s.must(err)
	return reply[1]
}

// untouched checks that nobody has a selection or a grab on the seat's display.
func (s *station) untouched(now screen) {
	s.t.Helper()
	c, err := s.connectX(now.cookie)
	s.must(err)
	defer c.Close()
	s.must(c.Send(getSelectionOwner, 0, xclient.Words(atomPrimary)))
	reply, err := c.Reply()
	s.must(err)
	if owner := reply[8:12]; !bytes.Equal(owner, make([]byte, 4)) {
		s.t.Errorf("the selection belongs to %x", owner)
	}
	if status := s.grabKeyboard(c); status != 0 {
		s.t.Errorf("the keyboard is another's: %d", status)
	}
	s.must(c.Send(ungrabKeyboard, 0, xclient.Words(0)))
	s.must(c.RoundTrip())
	if out, err := s.onDisplay("xprop", "-root"); err != nil || strings.Contains(out, "LEFT") {
		s.t.Errorf("%v, the root window has %s", err, out)
	}
}

// ended checks that a client's connection has ended.
func (s *station) ended(c *xclient.Conn) {
	s.t.Helper()
	for {
		if _, err := c.Event(); err != nil {
			if os.IsTimeout(err) {
				s.t.Error("a client is still connected")
			}
			return
		}
	}
}

// evilGreeter leaves behind a program that is in no process group of the greeter's, takes no
// notice of signals, and connects again and again.
const evilGreeter = `#!/bin/sh
setsid sh -c '
trap "" TERM HUP INT
xprop -root -f LEFT 8s -set LEFT "by the greeter"
while :; do xprop -root -spy >/dev/null 2>&1; sleep 0.1; done' &
exec ldm-greeter
`

// What runs at the login screen, and has its cookie, reaches nothing of the session; nor does
// what has the session's cookie reach the next login screen.
func TestAttackAcrossXServers(t *testing.T) {
	s := newStation(t)
	s.must(s.Client.WriteFile("/usr/local/bin/evil-greeter", []byte(evilGreeter), 0o755))
	s.configure(xvfb, "LDM_GREETER=/usr/local/bin/evil-greeter")
	s.start()
	greeter := s.screen()
	settle(t, "the greeter's property is there", func() bool {
		out, err := s.onDisplay("xprop", "-root", "LEFT")
		return err == nil && strings.Contains(out, "by the greeter")
	})
	hostile := s.seize(greeter.cookie)
	s.login("anna", password, "icewm-session")
	s.ended(hostile)
	session := s.screen()
	s.differs(session, greeter)
	s.untouched(session)
	if left := running(t, s.Client, s.greeters); len(left) != 0 {
		t.Errorf("left of the greeter: %v", left)
	}
	s.waitWindow("icewm")

	if _, err := s.onDisplay("xprop", "-root", "-f", "LEFT", "8s", "-set", "LEFT", "by the session"); err != nil {
		t.Fatal(err)
	}
	hostile = s.seize(session.cookie)
	mark := s.log.mark()
	s.signal(running(t, s.Client, s.worker)[0], "KILL") // the desktop cannot end in order now
	s.log.wait(t, mark, greeterUp)
	s.ended(hostile)
	next := s.screen()
	s.differs(next, session)
	s.differs(next, greeter)
}

func (s *station) greeters(p testbed.Process) bool { return p.UID == s.greeter && p.State != "Z" }

// packet reads what ldm tells a worker, and answers its pings.
func (s *station) packet(w *os.File) string {
	s.t.Helper()
	for b := make([]byte, wire.MaxPacket); ; {
		n, _, err := unix.Recvfrom(int(w.Fd()), b, 0)
		s.must(err)
		said := string(b[:n])
		if !strings.HasPrefix(said, `{"type":"ping"`) {
			return said
		}
		s.must(unix.Send(int(w.Fd()), []byte(strings.Replace(said, "ping", "pong", 1)), unix.MSG_NOSIGNAL))
	}
}

// A worker that was taken over before the login has no display: no message has the cookie of the
// login screen's X server, ever, nor any other before the greeter is gone.
func TestAttackWorkerWantsTheDisplay(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "SOUND=False")
	s.start()
	greeter := s.screen()
	listener, err := s.Client.Listen(t.Context(), "unix", "/tmp/fakeworker.socket")
	s.must(err)
	defer listener.Close()
	conn := s.dial()
	s.must(greetd.WriteRequest(conn, &greetd.CreateSession{Username: "anna"}))
	w, stop := s.takeSocket(listener)
	defer stop()
	defer w.Close()
	packet := func(wanted string) string {
		t.Helper()
		said := s.packet(w)
		for _, secret := range []string{string(greeter.cookie), hex.EncodeToString(greeter.cookie), base64.StdEncoding.EncodeToString(greeter.cookie)} {
			if strings.Contains(said, secret) {
				t.Errorf("the worker is told the greeter's cookie: %s", said)
			}
		}
		if !strings.Contains(said, `"type":"`+wanted+`"`) {
			t.Fatalf("got %s, want a %s", said, wanted)
		}
		if wanted != "screen" && (strings.Contains(said, "display") || strings.Contains(said, "cookie")) {
			t.Errorf("the worker is told of a display too early: %s", said)
		}
		return said
	}
	say := func(text string) { s.must(unix.Send(int(w.Fd()), []byte(text), unix.MSG_NOSIGNAL)) }
	packet("login")
	say(`{"type":"question","kind":"secret","text":"Password: "}`)
	expect[*greetd.AuthMessage](t, s.read(conn))
	s.must(greetd.WriteRequest(conn, answer(password)))
	packet("answer")
	say(`{"type":"run","id":1,"args":["xterm"]}`) // not heeded
	say(`{"type":"authenticated","server":"server"}`)
	expect[*greetd.Success](t, s.read(conn))
	expect[*greetd.Success](t, s.call(conn, &greetd.StartSession{}))
	packet("start")
	say(`{"type":"run","id":2,"args":["xterm"]}`)
	if now := s.screen(); now.pid != greeter.pid {
		t.Error("the X server has gone before the greeter")
	}
	conn.Close()
	told, err := tagged.Decode([]byte(packet("screen")), func(string) wire.Message { return new(wire.Screen) })
	s.must(err)
	session := s.screen()
	s.differs(session, greeter)
	if given := told.(*wire.Screen); given.Display != s.display() || !bytes.Equal(given.Cookie, session.cookie) {
		t.Errorf("the worker is told of %s", given.Display)
	}
	if left := running(t, s.Client, s.greeters); len(left) != 0 {
		t.Errorf("the worker has a screen that is also for %v", left)
	}
	if n := strings.Count(s.log.String(), "a program out of turn"); n != 2 {
		t.Errorf("%d programs out of turn", n)
	}
}

// remember looks for secrets, in hexadecimal on standard input, in a process's memory.
const remember = `my @secrets = map { chomp; pack "H*", $_ } <STDIN>;
open my $maps, "<", "/proc/$ARGV[0]/maps" or die $!;
open my $mem, "<:raw", "/proc/$ARGV[0]/mem" or die $!;
my ($found, $read) = (0, 0);
while (<$maps>) {
	/^([0-9a-f]+)-([0-9a-f]+) r/ or next;
	my ($left, $tail) = (hex($2) - hex($1), "");
	sysseek $mem, hex($1), 0 or next;
	while ($left > 0) {
		my $n = sysread $mem, my $piece, $left < 1 << 20 ? $left : 1 << 20 or last;
		$left -= $n;
		$read += $n;
		my $text = $tail . $piece;
		for (@secrets) { $found++ if index($text, $_) >= 0 }
		$tail = substr $text, -63;
	}
}
die "nothing was read" if $read < 1 << 20;
print $found;
`

// The memory of a worker that asks for the password, and so has proved the host key, has no
// cookie; that of one with a session has the session's alone.
func TestAttackWorkersMemory(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	greeter := s.screen()
	knows := func(cookie []byte) bool {
		t.Helper()
		workers := running(t, s.Client, s.worker)
		if len(workers) != 1 {
			t.Fatalf("workers: %v", workers)
		}
		c := s.Client.Command(t.Context(), "root", "perl", "-e", remember, fmt.Sprint(workers[0].PID))
		c.Stdin = strings.NewReader(hex.EncodeToString(cookie) + "\n" + hex.EncodeToString([]byte(base64.StdEncoding.EncodeToString(cookie))) + "\n")
		out, err := c.Output()
		s.must(err)
		return string(out) != "0"
	}
	conn := s.dial()
	expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
	if knows(greeter.cookie) {
		t.Error("the worker has the cookie before the login")
	}
	expect[*greetd.Success](t, s.call(conn, answer(password)))
	if knows(greeter.cookie) {
		t.Error("the worker has the greeter's cookie")
	}
	expect[*greetd.Success](t, s.call(conn, &greetd.StartSession{Cmd: []string{"icewm-session"}}))
	conn.Close()
	s.waitWindow("icewm")
	if knows(greeter.cookie) {
		t.Error("the session's worker has the greeter's cookie")
	}
	if !knows(s.screen().cookie) {
		t.Error("this test finds no cookie where there is one")
	}
}
