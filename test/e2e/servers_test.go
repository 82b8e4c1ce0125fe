package e2e

import (
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// states asks the seat which servers are up.
func (s *station) states(conn net.Conn) map[string]string {
	s.t.Helper()
	return expect[*greetd.Seat](s.t, s.call(conn, &greetd.Describe{})).States
}

// sees waits until the seat says so of its servers.
func (s *station) sees(want map[string]string) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	var got map[string]string
	for spent := newStopwatch(); ; time.Sleep(50 * time.Millisecond) {
		if got = s.states(conn); maps.Equal(got, want) {
			return
		}
		if spent.over(limit) {
			s.t.Fatalf("the seat says %v, not %v", got, want)
		}
	}
}

// silent is a server that takes connections and says nothing: a machine that hangs.
func (s *station) silent(address string) {
	s.t.Helper()
	listener, err := s.Server.Listen(s.t.Context(), "tcp", address)
	s.must(err)
	var serving sync.WaitGroup
	s.t.Cleanup(func() { listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { io.Copy(io.Discard, conn); conn.Close() })
		}
	})
}

// sshdAt starts another sshd of the server, on a port.
func (s *station) sshdAt(port string) *testbed.Cmd {
	s.t.Helper()
	c := s.Server.Command(s.t.Context(), "root", "/usr/sbin/sshd", "-D", "-e", "-p", port)
	c.Stderr = s.sshd
	mark := s.sshd.mark()
	s.must(c.Start())
	s.sshd.wait(s.t, mark, "Server listening on :: port "+port)
	return c
}

// The seat knows which servers are up, a login goes to the first of them at once,
// and the one that comes back is used again.
func TestServersAreWatched(t *testing.T) {
	s := newStation(t)
	s.silent(":2223")
	s.sshdAt("2222")
	s.trustPort("2222")
	s.configure(xvfb, `LDM_SERVER="server:2224 server:2223 server:2222 server"`)
	s.start()
	s.sees(map[string]string{"server:2224": "down", "server:2223": "down", "server:2222": "up", "server": "up"})

	begin := s.log.mark()
	s.login("anna", password, "icewm-session")
	end := s.log.wait(t, begin, "authenticated by server:2222")
	if strings.Contains(s.log.String()[begin:end], "server not reached") {
		t.Error("servers that are down have been tried")
	}
	settle(t, "no probe runs beside a session", func() bool { return len(running(t, s.Client, s.probe)) == 0 })

	s.waitWindow("icewm")
	mark := s.log.mark()
	s.must(s.endSession())
	s.log.wait(t, mark, greeterUp)
	s.sshdAt("2224")
	s.trustPort("2224")
	s.sees(map[string]string{"server:2224": "up", "server:2223": "down", "server:2222": "up", "server": "up"})
	mark = s.log.mark()
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
	s.log.wait(t, mark, "authenticated by server:2224")
}

// A server that goes between two questions of the probe costs the person nothing.
func TestServerGoesBeforeTheLogin(t *testing.T) {
	s := newStation(t)
	first := s.sshdAt("2222")
	s.trustPort("2222")
	s.configure(xvfb, `LDM_SERVER="server:2222 server"`)
	s.start()
	s.sees(map[string]string{"server:2222": "up", "server": "up"})
	s.must(first.Process.Kill())
	first.Wait()
	expect[*greetd.Success](t, s.authenticate(s.dial(), "anna", password))
	s.log.wait(t, 0, `"authenticated by server"`)
}

// endSession ends anna's desktop.
func (s *station) endSession() error {
	_, err := s.Server.Output(s.t.Context(), "pkill", "-TERM", "-x", "-u", "anna", "icewm")
	return err
}

// trustPort makes the server's keys known for a port of it, too: known_hosts names
// ports other than 22 (sshd(8)).
func (s *station) trustPort(port string) {
	s.t.Helper()
	keys, err := s.Server.HostKeys()
	s.must(err)
	known, err := s.Client.ReadFile("/etc/ssh/ssh_known_hosts")
	s.must(err)
	for _, key := range keys {
		known = append(known, "[server]:"+port+" "+key+"\n"...)
	}
	s.must(s.Client.WriteFile("/etc/ssh/ssh_known_hosts", known, 0o644))
}

// A chosen server is the one that is used, and no other in its place.
func TestChosenServerIsHonoured(t *testing.T) {
	s := newStation(t)
	s.sshdAt("2222")
	s.trustPort("2222")
	s.configure(xvfb, `LDM_SERVER="server server:2222 server:2224"`)
	s.start()
	conn := s.dial()
	if r, ok := s.call(conn, &greetd.CreateSession{Username: "anna", Server: "server:2224"}).(*greetd.Error); !ok || !strings.Contains(r.Description, "server:2224") {
		t.Errorf("one that is down: %+v", r)
	}
	expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna", Server: "server:2222"}))
	mark := s.log.mark()
	expect[*greetd.Success](t, s.call(conn, answer(password)))
	s.log.wait(t, mark, "authenticated by server:2222")
}

// The probe is fenced as a worker is; killed, it comes back, and with ldm it goes.
func TestProbeIsFenced(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.sees(map[string]string{"server": "up"})
	probes := running(t, s.Client, s.probe)
	if len(probes) != 1 {
		t.Fatalf("probes: %v", probes)
	}
	s.opaque("_ldm-probe", probes[0])
	s.signal(probes[0], "KILL")
	settle(t, "another probe runs", func() bool {
		again := running(t, s.Client, s.probe)
		return len(again) == 1 && again[0].PID != probes[0].PID
	})
	s.sees(map[string]string{"server": "up"})
	s.stop()
	if left := running(t, s.Client, everything); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// A fence is about files: where another one takes the place of the name servers' a new probe takes that of the old.
func TestProbeFollowsTheNetwork(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, `LDM_SERVER="server server:2224"`)
	s.start()
	s.sees(map[string]string{"server": "up", "server:2224": "down"})
	first := running(t, s.Client, s.probe)
	if len(first) != 1 {
		t.Fatalf("probes: %v", first)
	}
	s.must(s.Client.WriteFile("/etc/resolv.conf.new", []byte("nameserver 192.0.2.1\n"), 0o644))
	_, err := s.Client.Output(t.Context(), "mv", "/etc/resolv.conf.new", "/etc/resolv.conf")
	s.must(err)
	settle(t, "another probe runs", func() bool { // when it asks the server that is down again
		again := running(t, s.Client, s.probe)
		return len(again) == 1 && again[0].PID != first[0].PID
	})
	s.sees(map[string]string{"server": "up", "server:2224": "down"})
}

// What a probe leaves in sshd's log is no error.
func TestProbeIsPolite(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	mark := s.sshd.mark()
	s.start()
	s.sees(map[string]string{"server": "up"})
	s.sshd.wait(t, mark, "[preauth]") // closed, or reset where sshd was quicker to go on
	for line := range strings.Lines(s.sshd.String()[mark:]) {
		if !strings.HasPrefix(line, "Connection ") {
			t.Errorf("sshd says %q", line)
		}
	}
}
