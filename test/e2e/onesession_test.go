package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// listed is what `ltsp-server-agent sessions --json` tells a user of the server.
type listed struct{ ID, User, Server, Client string }

func (s *station) sessions(user string) []listed {
	s.t.Helper()
	out, err := s.Server.Command(s.t.Context(), user, "ltsp-server-agent", "sessions", "--json").Output()
	s.must(err)
	var list []listed
	s.must(json.Unmarshal(out, &list))
	return list
}

// clients waits until anna's sessions are those from these clients.
func (s *station) clients(want ...string) {
	s.t.Helper()
	settle(s.t, fmt.Sprintf("anna's sessions are from %q", want), func() bool {
		var got []string
		for _, l := range s.sessions("anna") {
			got = append(got, l.Client)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// question logs anna in up to the first visible question.
func (s *station) question(conn net.Conn) string {
	s.t.Helper()
	response := s.call(conn, &greetd.CreateSession{Username: "anna"})
	for {
		m := expect[*greetd.AuthMessage](s.t, response)
		switch m.Type {
		case greetd.Visible:
			return m.Text
		case greetd.Secret:
			response = s.call(conn, answer(password))
		default:
			response = s.call(conn, &greetd.PostResponse{})
		}
	}
}

// elsewhere is a session of anna's on the server as the client of another station has it.
type elsewhere struct {
	*testbed.Cmd
	in     io.Closer // closed when the client goes
	said   *journal
	warned *journal
}

// elsewhere starts a session from a client of that name; mode is what is to become of
// others, and may be empty.
func (s *station) elsewhere(mode, client string, env ...string) *elsewhere {
	s.t.Helper()
	return s.elsewhereRunning("exec sleep 1000", mode, client, env...)
}

// elsewhereRunning is elsewhere with a script of the shell for a desktop.
func (s *station) elsewhereRunning(script, mode, client string, env ...string) *elsewhere {
	s.t.Helper()
	s.must(s.Server.WriteFile("/usr/local/bin/stay", []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	e := &elsewhere{said: newJournal(), warned: newJournal()}
	e.Cmd = s.Server.Command(s.t.Context(), "anna", "ltsp-server-agent", "session", "--xsession", "/usr/local/bin/stay")
	e.Env = append(e.Env, "LTSP_ONE_SESSION="+mode, "LTSP_CLIENT_HOSTNAME="+client)
	e.Env = append(e.Env, env...)
	e.Stdout, e.Stderr = e.said, e.warned
	in, err := e.StdinPipe()
	s.must(err)
	e.in = in
	s.must(e.Start())
	return e
}

// gone has the client go, and waits until nothing of anna's sessions is left.
func (e *elsewhere) gone(s *station) {
	s.t.Helper()
	e.in.Close()
	e.Wait()
	settle(s.t, "anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	s.noFiles("in the end")
}

// A second login: asked about at the login screen, and each screen says what it has to.
func TestOneSession(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_LIMIT_ONE_SESSION=True", "LDM_LIMIT_ONE_SESSION_PROMPT=True")
	s.start()
	first := s.elsewhere("", "station-07")
	s.clients("station-07")
	if all := s.sessions("root"); len(all) != 1 || all[0].User != "anna" || all[0].Server != "server" || all[0].ID == "" {
		t.Errorf("root sees %+v", all)
	}

	conn := s.dial()
	if q := s.question(conn); !strings.HasPrefix(q, "You are logged in at station-07 since ") || !strings.HasSuffix(q, ".\nEnd that session? Type yes or no: ") {
		t.Errorf("asked %q", q)
	}
	refused := expect[*greetd.Error](t, s.call(conn, answer("no")))
	if !strings.Contains(refused.Description, "You stay logged in at station-07") {
		t.Errorf("got %+v", refused)
	}

	// Nothing ends before the desktop starts.
	s.question(conn)
	expect[*greetd.Success](t, s.call(conn, answer("yes")))
	s.clients("station-07")
	mark := s.log.mark()
	expect[*greetd.Success](t, s.call(conn, &greetd.StartSession{Cmd: []string{"icewm-session"}}))
	conn.Close()
	s.log.wait(t, mark, "the session has started")
	s.clients("client")
	s.waitWindow("icewm")
	first.Wait()
	if !strings.Contains(first.said.String(), `"from":"client"`) {
		t.Errorf("the first session's client is told %s", first.said)
	}

	// A third station takes the session from the seat, whose screen says why.
	mark, x := s.log.mark(), s.xServer()
	third := s.elsewhere("end", "station-12")
	s.backAtLogin(mark, x)
	seat := expect[*greetd.Seat](t, s.call(s.dial(), &greetd.Describe{}))
	if len(seat.Notices) == 0 || seat.Notices[0] != "Your session was ended from station-12, where you logged in." {
		t.Errorf("the login screen says %q", seat.Notices)
	}
	s.clients("station-12")
	third.gone(s)
}

// Where the cluster cannot be asked a login goes on, and the login screen says so.
func TestClusterGone(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.AddSystemUsers(t.Context(), "_ltsp-agent"))
	s.must(s.Server.WriteFile("/etc/ltsp/server-agent.conf", []byte("cluster = etcd\nendpoints = http://127.0.0.1:1\n"), 0o644))
	daemon, said := s.Server.Command(t.Context(), "root", "ltsp-server-agent", "serve"), newJournal()
	daemon.Stderr = said
	s.must(daemon.Start())
	said.wait(t, 0, "cluster unreachable")
	s.configure(xvfb, "LDM_LIMIT_ONE_SESSION=True", "LDM_LIMIT_ONE_SESSION_PROMPT=True")
	s.start()
	conn := s.dial()
	response := s.call(conn, &greetd.CreateSession{Username: "anna"})
	expect[*greetd.AuthMessage](t, response)
	told := expect[*greetd.AuthMessage](t, s.call(conn, answer(password)))
	if told.Type != greetd.Info || !strings.HasPrefix(told.Text, "Not all servers can be asked now") {
		t.Errorf("the login screen says %+v", told)
	}
	expect[*greetd.Success](t, s.call(conn, &greetd.PostResponse{}))
}

// Of logins at the same moment one stays, whether they end each other or give way.
func TestOneSessionRaces(t *testing.T) {
	s := newStation(t)
	for _, mode := range []string{"end", "refuse"} {
		var all []*elsewhere
		for i := range 4 {
			all = append(all, s.elsewhere(mode, fmt.Sprintf("station-%d", i)))
		}
		over := make(chan *elsewhere, len(all))
		for _, e := range all {
			go func() {
				e.Wait()
				over <- e
			}()
		}
		var losers []*elsewhere
		for range len(all) - 1 {
			losers = append(losers, <-over)
		}
		settle(t, "one session stays", func() bool { return len(s.sessions("anna")) == 1 })
		for _, e := range losers {
			if said := e.said.String(); !strings.Contains(said, `"from":"station-`) && !strings.Contains(said, `"type":"others"`) {
				t.Errorf("%s: a client is told %s\n%s", mode, said, e.warned)
			}
		}
		for _, e := range all {
			e.in.Close()
		}
		<-over
		settle(t, "anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(mode)
	}
}

// A full runtime directory costs a warning that names it, not the session.
func TestFullRuntimeDirectory(t *testing.T) {
	s := newStation(t)
	dir := fmt.Sprintf("/run/user/%d", s.serverUID("anna"))
	_, err := s.Server.Output(t.Context(), "sh", "-ec", fmt.Sprintf(
		`mkdir -p %[1]s; mount -t tmpfs -o size=4k,mode=700,uid=%[2]d tmpfs %[1]s; echo x >%[1]s/full; chown anna %[1]s`, dir, s.serverUID("anna")))
	s.must(err)
	e := s.elsewhere("", "station-07", "XDG_RUNTIME_DIR="+dir)
	e.said.wait(t, 0, `"type":"started"`)
	if said := e.said.String(); !strings.Contains(said, "runtime directory "+dir) || !strings.Contains(said, "no space left on device") {
		t.Errorf("the client is told %s", said)
	}
	s.clients("station-07")
	out, err := s.Server.Command(t.Context(), "anna", "sh", "-c",
		`cd /tmp/ltsp-session-* && stat -c %a . runtime && dbus-send --bus=unix:path=$PWD/bus --print-reply / org.freedesktop.DBus.Peer.Ping`).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "700\n700\n") {
		t.Errorf("%v: %s", err, out)
	}
	e.gone(s)
}

// File systems that the session's programs mounted go with it, and what is in
// somebody else's is never removed.
func TestSessionMounts(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.WriteFile("/home/anna/kept", []byte("kept"), 0o666))
	e := s.elsewhereRunning(`cd "$XDG_RUNTIME_DIR" && mkdir fuse root && mkfifo pipe || exit
/usr/lib/openssh/sftp-server <pipe | sshfs :/home/anna fuse -f -o passive >pipe &
until [ -e fuse/kept ]; do sleep 0.1; done
kill -KILL $!
echo "$PWD" >/tmp/place
exec sleep 1000`, "", "station-07")
	settle(t, "the file system is mounted", func() bool {
		place, err := s.Server.ReadFile("/tmp/place")
		return err == nil && strings.HasSuffix(string(place), "\n")
	})
	place, err := s.Server.ReadFile("/tmp/place")
	s.must(err)
	root := strings.TrimSpace(string(place)) + "/root"
	_, err = s.Server.Output(t.Context(), "mount", "--bind", "/home/anna", root)
	s.must(err)
	e.in.Close()
	e.Wait()
	if said := e.warned.String(); !strings.Contains(said, "stays: "+root+" is mounted") {
		t.Errorf("the agent says %s", said)
	}
	if kept, err := s.Server.ReadFile("/home/anna/kept"); err != nil || string(kept) != "kept" {
		t.Errorf("%q, %v", kept, err)
	}
	out, err := s.Server.Output(t.Context(), "findmnt", "-n", "-t", "fuse.sshfs")
	if out != "" {
		t.Errorf("mounted: %s, %v", out, err)
	}
}
