package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// releases are those whose stock sshd everything has to work with.
var releases = []string{"bookworm", "trixie"}

func onServer(suite string) option { return func(c *testbed.Config) { c.ServerSuite = suite } }

// clients is how many people log in at nine.
const clients = 60

// A school at nine o'clock: everybody stands at the password prompt at once, before
// a stock sshd, then all press Enter, and all get in.
func TestNineOClock(t *testing.T) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) {
			s := newStation(t, onServer(release))
			s.nineOClock()
			if !strings.Contains(s.sshd.String(), "drop connection") {
				t.Error("sshd turned nobody away: the test shows nothing")
			}
		})
	}
}

// With what the packages ship for sshd nobody has to wait.
func TestNineOClockPrepared(t *testing.T) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) {
			s := newStation(t, onServer(release))
			s.must(ship(s.Server, "50-ltsp.conf"))
			mark := s.sshd.mark()
			_, err := s.Server.Output(t.Context(), "pkill", "-HUP", "-x", "sshd")
			s.must(err)
			s.sshd.wait(t, mark, "Server listening on :: ")
			s.nineOClock()
			if strings.Contains(s.sshd.String(), "drop connection") {
				t.Error("sshd turned somebody away")
			}
		})
	}
}

func (s *station) nineOClock() {
	s.t.Helper()
	var prompted, done sync.WaitGroup
	prompted.Add(clients)
	begin := time.Now()
	for i := range clients {
		w := s.startWorker(i)
		done.Go(func() {
			defer w.end()
			err := w.prompt()
			prompted.Done()
			prompted.Wait()
			if err == nil {
				err = w.answer()
			}
			if err != nil {
				s.t.Errorf("client %d: %v", i, err)
			}
		})
	}
	prompted.Wait()
	asked := time.Since(begin)
	done.Wait()
	s.t.Logf("all asked after %v, all in after %v more", asked, time.Since(begin)-asked)
}

// bareWorker is a login's worker, with the test in ldm's place.
type bareWorker struct {
	command *testbed.Cmd
	conn    *wire.Conn
}

func (s *station) startWorker(i int) *bareWorker {
	s.t.Helper()
	conn, theirs, err := wire.Pair()
	s.must(err)
	defer theirs.Close()
	c := s.Client.Command(context.WithoutCancel(s.t.Context()), "_ldm-session", "/usr/local/bin/ldm-session", "worker")
	c.ExtraFiles = []*os.File{theirs}
	c.Stderr = s.log
	s.must(c.Start())
	s.must(conn.Send(&wire.Login{
		ID: fmt.Sprint("client-", i), User: "anna", Servers: []string{"server"},
		KnownHosts: []string{"/etc/ssh/ssh_known_hosts"},
	}))
	return &bareWorker{command: c, conn: conn}
}

// prompt waits for the password prompt.
func (w *bareWorker) prompt() error {
	message, err := w.next()
	if err != nil {
		return err
	}
	if q, ok := message.(*wire.Question); !ok || q.Kind != wire.Secret {
		return fmt.Errorf("got %T %+v in place of the prompt", message, message)
	}
	return nil
}

// answer answers it and waits for the server to let the user in.
func (w *bareWorker) answer() error {
	secret := password
	if err := w.conn.Send(&wire.Answer{Text: &secret}); err != nil {
		return err
	}
	message, err := w.next()
	if err != nil {
		return err
	}
	if _, ok := message.(*wire.Authenticated); !ok {
		return fmt.Errorf("got %T %+v in place of success", message, message)
	}
	return nil
}

// next returns the next message that is not progress.
func (w *bareWorker) next() (wire.Message, error) {
	for {
		message, err := w.conn.Receive()
		if _, ok := message.(*wire.Progress); !ok || err != nil {
			return message, err
		}
	}
}

func (w *bareWorker) end() {
	w.conn.Close()
	w.command.Wait()
}

// Ten quick cancels from one client do not lock it out.
func TestTenQuickCancels(t *testing.T) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) {
			s := newStation(t, onServer(release))
			s.configure(xvfb)
			s.start()
			conn := s.dial()
			for range 10 {
				expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
				expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
			}
			expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
			if said := s.sshd.String(); strings.Contains(said, "drop connection") {
				t.Error("sshd turned a connection away")
			}
		})
	}
}

// Whoever is turned away by Debian 13's sshd after many more cancels waits, with
// the name typed once, until it takes connections again.
func TestTooManyCancels(t *testing.T) {
	s := newStation(t, onServer("trixie"))
	s.configure(xvfb)
	s.start()
	conn := s.dial()
	dropped := func() bool { return strings.Contains(s.sshd.String(), "drop connection") }
	for n := 1; n <= 20 || !dropped(); n++ {
		if n > 500 { // penalties fade, so that it takes a slow computer longer
			t.Fatal("sshd turns nothing away: the test shows nothing")
		}
		expect[*greetd.AuthMessage](t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
		expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
	}
	expect[*greetd.Success](t, s.authenticate(conn, "anna", password))
}
