package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"goldm/internal/infowire"
	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// The addresses of the server, each of which stands for a server of its own.
const (
	rated   = "192.0.2.1"      // with the agent
	rated2  = "192.0.2.1:2222" // another sshd, the same agent
	drained = "fd67:6f6c:646d::1"
)

// serveInfo runs the server's agent as root starts it under systemd: with sockets of these
// addresses, by HTTP and for old clients.
func (s *station) serveInfo(httpAddress, textAddress string) *testbed.Cmd {
	s.t.Helper()
	s.must(s.Server.AddSystemUsers(s.t.Context(), "_ltsp-agent"))
	c := s.Server.Command(context.WithoutCancel(s.t.Context()), "root",
		"/bin/sh", "-c", "LISTEN_PID=$$ exec /usr/local/bin/ltsp-server-agent serve")
	c.Env = append(c.Env, "LISTEN_FDS=2", "LISTEN_FDNAMES=http:text")
	log := newJournal()
	c.Stderr = log
	for _, address := range []string{httpAddress, textAddress} {
		l, err := s.Server.Listen(s.t.Context(), "tcp", address)
		s.must(err)
		file, err := l.(*net.TCPListener).File()
		s.must(err)
		l.Close()
		defer file.Close()
		c.ExtraFiles = append(c.ExtraFiles, file)
	}
	s.must(c.Start())
	s.t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
		if s.t.Failed() {
			s.t.Logf("agent:\n%s", log)
		}
	})
	log.wait(s.t, 0, "listening")
	return c
}

// tells is a server's agent that says this to everybody.
func (s *station) tells(address, answer string) {
	s.t.Helper()
	l, err := s.Server.Listen(s.t.Context(), "tcp", address)
	s.must(err)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })}
	go web.Serve(l)
	s.t.Cleanup(func() { web.Close() })
}

// reads connects from the client, sends what there is to say and returns all that comes.
func (s *station) reads(address, say string) []byte {
	s.t.Helper()
	conn, err := s.Client.Dial(s.t.Context(), "tcp", address)
	s.must(err)
	defer conn.Close()
	s.must(conn.SetDeadline(time.Now().Add(limit)))
	_, err = io.WriteString(conn, say)
	s.must(err)
	all, err := io.ReadAll(conn)
	s.must(err)
	return all
}

// goes tells where a login goes that chooses a server, or none.
func (s *station) goes(server string) string {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	mark := s.log.mark()
	expect[*greetd.AuthMessage](s.t, s.call(conn, &greetd.CreateSession{Username: "anna", Server: server}))
	expect[*greetd.Success](s.t, s.call(conn, answer(password)))
	end := s.log.wait(s.t, mark, `msg="authenticated by `)
	name, _, _ := strings.Cut(s.log.String()[end:], `"`)
	return name
}

// A server tells what it offers as an ordinary user, and no user's name; logins go by it.
func TestServersTellTheirLoad(t *testing.T) {
	s := newStation(t)
	s.sshdAt("2222")
	s.trustAddress("[" + rated + "]:2222")
	out, err := s.Server.Command(t.Context(), "root", "/usr/local/bin/ltsp-server-agent", "serve").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "serve does not run as root") {
		t.Errorf("without its user: %s, %v", out, err)
	}
	s.serveInfo(rated+":9572", rated+":9571")
	s.tells("["+drained+"]:9572", `{"version":1,"rating":100,"drained":true}`)

	agents := running(t, s.Server, func(p testbed.Process) bool { return slices.Contains(p.Command, "serve") })
	if len(agents) != 1 || agents[0].UID == 0 {
		t.Errorf("the agent runs as %v", agents)
	}
	text := s.reads(rated+":9571", "")
	for _, want := range []string{"language:C.UTF-8\n", "session:", "xsession:/etc/X11/Xsession\nrating:"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	all := s.reads(rated+":9572", "GET /v1/info HTTP/1.0\r\n\r\n")
	_, body, _ := bytes.Cut(all, []byte("\r\n\r\n"))
	info, err := infowire.Decode(body)
	if err != nil || info.Rating < 1 || info.Running != 0 || len(info.Sessions) == 0 || info.Load == nil {
		t.Fatalf("%+v, %v in\n%s", info, err, all)
	}
	if bytes.Contains(slices.Concat(text, all), []byte("anna")) {
		t.Errorf("a user's name in\n%s\n%s", text, all)
	}

	s.configure(xvfb, `LDM_SERVER="`+drained+" "+rated+" "+rated2+`"`)
	s.start()
	s.log.wait(t, 0, "server's information")
	conn := s.dial()
	defer conn.Close()
	settle(t, "the seat knows all servers", func() bool {
		states := s.states(conn) // this computer may be busy with other tests
		return states[drained] == "drained" && isUp(states[rated]) && isUp(states[rated2])
	})
	went := make(map[string]int)
	settle(t, "lots fall to both servers", func() bool {
		went[s.goes("")]++
		return went[rated] > 0 && went[rated2] > 0
	})
	if went[drained] > 0 {
		t.Errorf("logins went to %v", went)
	}
	if got := s.goes(drained); got != drained {
		t.Errorf("with %s chosen the login went to %s", drained, got)
	}
}

// isUp tells whether a state is that of a server that takes logins, with room or without.
func isUp(state string) bool { return state == greetd.Up || state == greetd.Busy }

// trustAddress makes the server's keys known for one more name of it.
func (s *station) trustAddress(name string) {
	s.t.Helper()
	keys, err := s.Server.HostKeys()
	s.must(err)
	known, err := s.Client.ReadFile("/etc/ssh/ssh_known_hosts")
	s.must(err)
	for _, key := range keys {
		known = append(known, name+" "+key+"\n"...)
	}
	s.must(s.Client.WriteFile("/etc/ssh/ssh_known_hosts", known, 0o644))
}
