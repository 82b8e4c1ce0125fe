package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
)

// besiege opens connections as ben, a stranger on the server, and returns what closes them.
func (s *station) besiege(number int, network, address string) (end func()) {
	s.t.Helper()
	ben := s.serverUID("ben")
	var conns []net.Conn
	for n := range number {
		conn, err := s.Server.DialAs(s.t.Context(), ben, ben, network, address)
		if err != nil {
			s.t.Fatalf("connection %d: %v", n, err)
		}
		switch n % 4 { // the others say nothing
		case 0:
			io.WriteString(conn, "l")
		case 1: // a wrong cookie
			io.WriteString(conn, "l\x00\x0b\x00\x00\x00\x12\x00\x10\x00\x00\x00MIT-MAGIC-COOKIE-1\x00\x00"+strings.Repeat("x", 16))
		}
		conns = append(conns, conn)
	}
	return func() {
		for _, conn := range conns {
			conn.Close()
		}
	}
}

// churn has ben open connections as fast as a program can, of which the last 200 stay open.
func (s *station) churn(network, address string) (end func()) {
	s.t.Helper()
	s.must(s.Server.WriteFile("/var/lib/churn", []byte(`use Socket;
my ($network, $address) = @ARGV;
my ($family, $to) = (PF_INET, "");
if ($network eq "unix") { $family = PF_UNIX; $address =~ s/^@/\0/; $to = pack_sockaddr_un($address); }
else { my ($host, $port) = split /:/, $address; $to = pack_sockaddr_in($port, inet_aton($host)); }
$| = 1;
my @held;
for (my $n = 1; ; $n++) {
	socket(my $s, $family, SOCK_STREAM, 0) or next;
	connect($s, $to) or next;
	push @held, $s;
	shift @held if @held > 200;
	print "$n\n" if $n % 1000 == 0;
}
`), 0o644))
	c := s.Server.Command(s.t.Context(), "ben", "perl", "/var/lib/churn", network, address)
	said := newJournal()
	c.Stdout, c.Stderr = said, said
	s.must(c.Start())
	said.wait(s.t, 0, "1000\n")
	return func() {
		c.Process.Kill()
		c.Wait()
		s.t.Logf("connections: %s", said.String()[strings.LastIndex(strings.TrimSpace(said.String()), "\n")+1:])
	}
}

// opens checks that a program of anna's session finds its display within a second or so.
func (s *station) opens(when string) {
	s.t.Helper()
	began := time.Now()
	if out, status := s.inDesktop("timeout", "30", "xdpyinfo"); status != 0 || !strings.Contains(out, "name of display") {
		s.t.Errorf("%s: status %d: %.500s", when, status, out)
	}
	s.t.Logf("%s: xdpyinfo takes %v", when, time.Since(began).Round(time.Millisecond))
}

// Another user of the server cannot keep a session's programs from their display, in either way
// that they reach it. Root can use it with the cookie, and the stranger is in the log.
func TestAttackLockOut(t *testing.T) {
	for _, way := range []string{"accelerated", "forwarded"} {
		t.Run(way, func(t *testing.T) {
			s := newStation(t)
			s.must(s.Server.AddUser(t.Context(), "ben", password))
			s.configure(xvfb, "SOUND=False", "LDM_X11="+way)
			s.start()
			s.login("anna", password, "icewm-session")
			s.waitWindow("icewm")
			network, address := "tcp", "127.0.0.1:6010"
			if way == "accelerated" {
				network, address = "unix", "@/tmp/.X11-unix/X100"
			}
			s.opens("alone")
			for _, number := range []int{70, 600, 1000} {
				end := s.besiege(number, network, address)
				s.opens(fmt.Sprint("beside ", number))
				s.rootOpens()
				end()
			}
			end := s.churn(network, address)
			for range 5 {
				s.opens("beside new ones all the time")
			}
			s.rootOpens()
			end()
			s.opens("after it")
			s.benIsRefused(way)
		})
	}
}

// rootOpens uses anna's display as root does under sudo.
func (s *station) rootOpens() {
	s.t.Helper()
	display, authority := s.displayName(), strings.TrimSpace(s.shell("echo ${XAUTHORITY-$HOME/.Xauthority}"))
	c := s.Server.Command(s.t.Context(), "root", "timeout", "30", "xdpyinfo")
	c.Env = append(c.Env, "DISPLAY="+display, "XAUTHORITY="+authority)
	if out, err := c.Output(); err != nil {
		s.t.Errorf("root on %s: %v: %.300s", display, err, out)
	}
}

// benIsRefused checks that a stranger with a wrong cookie is, and which line says so.
func (s *station) benIsRefused(way string) {
	s.t.Helper()
	c := s.Server.Command(s.t.Context(), "ben", "sh", "-c",
		"xauth -q add $DISPLAY . 00112233445566778899aabbccddeeff; exec timeout 30 xdpyinfo")
	c.Env = append(c.Env, "DISPLAY="+s.displayName())
	if out, err := c.CombinedOutput(); err == nil {
		s.t.Errorf("ben sees anna's display: %.100s", out)
	}
	s.log.wait(s.t, 0, "the session's cookie")
	want := []string{"places without the cookie"}
	if way == "accelerated" {
		want = append(want, fmt.Sprintf("uid=%d", s.serverUID("ben")), "login=anna")
	}
	for _, part := range want {
		if !strings.Contains(s.log.String(), part) {
			s.t.Errorf("the log lacks %q", part)
		}
	}
	if got := strings.Count(s.log.String(), "places without the cookie"); got > 5 {
		s.t.Errorf("%d lines of %s", got, way)
	}
}

// Of our programs only the accelerator listens at an abstract name: its display's, which it
// holds together with the path. Every user can connect to such a name.
func TestAttackAbstractNames(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_X11=accelerated", "LOCAL_APPS=True", "SOUND_DAEMON=pulseaudio")
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	const display = "/tmp/.X11-unix/X100"
	if got := s.listening(s.Server); !slices.Equal(got, []string{"@" + display}) {
		t.Errorf("on the server: %q", got)
	}
	if got := s.listening(s.Client); len(got) != 0 {
		t.Errorf("on the client: %q", got)
	}
	if _, err := s.Server.Stat(display); err != nil {
		t.Error(err)
	}
}

// listening returns the abstract names at which our programs on a machine listen.
func (s *station) listening(m *testbed.Machine) (names []string) {
	s.t.Helper()
	ours := make(map[string]bool)
	for _, p := range running(s.t, m, func(p testbed.Process) bool {
		return strings.HasPrefix(p.Program(), "ldm") || strings.HasPrefix(p.Program(), "ltsp-")
	}) {
		links, _ := m.Output(s.t.Context(), "find", fmt.Sprintf("/proc/%d/fd", p.PID), "-lname", "socket:*", "-printf", "%l\n")
		for link := range strings.Lines(links) {
			ours[strings.Trim(link, "socket:[]\n")] = true
		}
	}
	if len(ours) == 0 {
		s.t.Fatal("our programs have no sockets")
	}
	table, err := m.Output(s.t.Context(), "cat", "/proc/net/unix")
	s.must(err)
	// Num RefCount Protocol Flags Type St Inode Path; __SO_ACCEPTCON is 1<<16 in Flags.
	for lines := bufio.NewScanner(bytes.NewReader([]byte(table))); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || !ours[f[6]] || !strings.HasPrefix(f[7], "@") {
			continue
		}
		if flags, err := strconv.ParseUint(f[3], 16, 32); err == nil && flags&(1<<16) != 0 {
			names = append(names, f[7])
		}
	}
	return names
}

// A folder for displays' sockets that is another user's, or without the sticky bit, is refused
// with a line in the log, and the session is forwarded instead.
func TestAttackSocketFolder(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.AddUser(t.Context(), "ben", password))
	s.configure(xvfb, "SOUND=False", "LDM_X11=accelerated")
	s.start()
	for name, spoil := range map[string]string{
		"another's":  "chown ben /tmp/.X11-unix",
		"not sticky": "chown root /tmp/.X11-unix && chmod 0777 /tmp/.X11-unix",
		"missing":    "rm -rf /tmp/.X11-unix",
	} {
		_, err := s.Server.Output(t.Context(), "sh", "-c", "mkdir -p -m 1777 /tmp/.X11-unix && chmod 1777 /tmp/.X11-unix && "+spoil)
		s.must(err)
		x, mark := s.xServer(), s.log.mark()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		s.log.wait(t, mark, "/tmp/.X11-unix is not safe")
		if got := s.displayName(); !strings.HasPrefix(got, "localhost:") {
			t.Errorf("%s: the display is %q", name, got)
		}
		mark = s.log.mark()
		s.logOut()
		s.backAtLogin(mark, x)
		s.noFiles(name)
	}
	if left, err := s.Server.Output(t.Context(), "find", "/tmp", "-maxdepth", "1", "-name", "ltsp-*"); err != nil || left != "" {
		t.Errorf("left: %q, %v", left, err)
	}
}
