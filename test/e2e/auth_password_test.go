package e2e

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// A step of a login: what the greeter has to show, and what is answered to it.
type step struct {
	kind, text string
	answer     string
}

func secret(text, answer string) step  { return step{greetd.Secret, text, answer} }
func visible(text, answer string) step { return step{greetd.Visible, text, answer} }
func info(text string) step            { return step{greetd.Info, text, ""} }
func trouble(text string) step         { return step{greetd.Trouble, text, ""} }

// converse goes through a login as a greeter would, whose steps have to be these
// and no others, and returns its end and the progress that was told.
func (s *station) converse(conn net.Conn, user string, steps ...step) (end greetd.Response, progress []string) {
	s.t.Helper()
	var taken []step
	request := greetd.Request(&greetd.CreateSession{Username: user, Progress: true})
	for {
		response := s.call(conn, request)
		for p, ok := response.(*greetd.Progress); ok; p, ok = response.(*greetd.Progress) {
			progress = append(progress, p.Text)
			response = s.read(conn)
		}
		m, ok := response.(*greetd.AuthMessage)
		if !ok {
			if d := cmp.Diff(steps, taken, cmp.AllowUnexported(step{})); d != "" {
				s.t.Errorf("steps: %s\nthe end: %T %+v", d, response, response)
			}
			return response, progress
		}
		now := step{m.Type, m.Text, ""}
		request = &greetd.PostResponse{}
		if m.Type == greetd.Secret || m.Type == greetd.Visible {
			if len(taken) < len(steps) {
				now.answer = steps[len(taken)].answer
			}
			request = answer(now.answer)
		}
		if taken = append(taken, now); len(taken) > len(steps)+10 {
			s.t.Fatalf("it does not end: %+v", taken)
		}
	}
}

// succeeds logs in through these steps and gives the login up.
func (s *station) succeeds(user string, steps ...step) (progress []string) {
	s.t.Helper()
	conn := s.dial()
	end, progress := s.converse(conn, user, steps...)
	expect[*greetd.Success](s.t, end)
	expect[*greetd.Success](s.t, s.call(conn, &greetd.CancelSession{}))
	return progress
}

// refused goes through these steps and is not let in, for which the sentence has
// to say these words, and says nothing that does harm.
func (s *station) refused(user, words string, steps ...step) {
	s.t.Helper()
	end, _ := s.converse(s.dial(), user, steps...)
	failed := expect[*greetd.Error](s.t, end)
	if failed.Type != greetd.AuthError || strings.Count(failed.Description, words) != 1 {
		s.t.Errorf("refused with %+v, want %q once", failed, words)
	}
}

// restartSSHD gives the server's sshd another configuration, which comes before Debian's.
func (s *station) restartSSHD(lines ...string) {
	s.t.Helper()
	s.root("pkill", "-x", "sshd")
	settle(s.t, "sshd has stopped", func() bool { return len(running(s.t, s.Server, named("sshd"))) == 0 })
	_, err := s.Server.StartSSHD(s.t.Context(), testbed.SSHDOptions{Config: append(lines, "LogLevel VERBOSE"), Log: s.sshd})
	s.must(err)
}

// root runs a command on the server, as its administrator.
func (s *station) root(argv ...string) string {
	s.t.Helper()
	out, err := s.Server.Output(s.t.Context(), argv...)
	s.must(err)
	return strings.TrimSpace(out)
}

// expire makes a password again the one that anna has, and to be changed.
func (s *station) expire() {
	s.t.Helper()
	s.must(s.Server.SetPassword(s.t.Context(), "anna", password))
	s.root("chage", "-d", "0", "anna")
}

const (
	fresh   = "neues Geheimnis ß42"
	changed = "You are required to change your password immediately (administrator enforced)."
	warning = "WARNING: Your password has expired.\nYou must change your password now and login again!\nChanging password for anna."
	failed  = "passwd: Authentication token manipulation error\npasswd: password unchanged"
)

// An expired password is changed in PAM's own dialogue, where sshd lets it ask.
func TestExpiredPasswordInteractive(t *testing.T) {
	s := newStation(t)
	s.restartSSHD("KbdInteractiveAuthentication yes")
	s.configure(xvfb)
	s.start()
	begin := []step{secret("Password: ", password), info(changed + "\nChanging password for anna.")}
	with := func(more ...step) []step { return append(slices.Clone(begin), more...) }

	s.expire()
	s.refused("anna", "did not accept these answers", with(secret("Current password: ", "wrong"))...)
	s.refused("anna", "Sorry, passwords do not match.", with(
		secret("Current password: ", password), secret("New password: ", fresh), secret("Retype new password: ", "another"))...)
	short := []step{secret("New password: ", "x"), secret("Retype new password: ", "x"), trouble("You must choose a longer password.")}
	s.succeeds("anna", with(slices.Concat([]step{secret("Current password: ", password)}, short, short,
		[]step{secret("New password: ", fresh), secret("Retype new password: ", fresh)})...)...)
	s.succeeds("anna", secret("Password: ", fresh))
}

// An expired password is changed by answering passwd, where sshd itself asks for
// it, as Debian's does; then the desktop comes without another question.
func TestExpiredPasswordStock(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.expire()
	short := []step{secret("New password: ", "x"), secret("Retype new password: ", "x"), trouble("You must choose a longer password.")}
	conn := s.dial()
	end, progress := s.converse(conn, "anna", slices.Concat(
		[]step{secret("Password: ", password), info(changed), info(warning), secret("Current password: ", "wrong"), trouble(failed)},
		[]step{info(warning), secret("Current password: ", password), secret("New password: ", fresh), secret("Retype new password: ", "another")},
		[]step{trouble("Sorry, passwords do not match.\n" + failed), info(warning), secret("Current password: ", password)}, short, short,
		[]step{secret("New password: ", fresh), secret("Retype new password: ", fresh), info("passwd: password updated successfully")},
	)...)
	expect[*greetd.Success](t, end)
	if !slices.Contains(progress, "Logging in with the new password…") {
		t.Errorf("progress %q", progress)
	}
	mark := s.log.mark()
	expect[*greetd.Success](t, s.call(conn, &greetd.StartSession{Cmd: []string{"icewm-session"}}))
	conn.Close()
	s.log.wait(t, mark, "the session has started")
	s.waitWindow("icewm")
	s.stop()
	for _, secret := range []string{password, fresh} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("a password is in the log")
		}
	}
	s.start()
	s.succeeds("anna", secret("Password: ", fresh))
}

// Who does not change the password is not let in, and is told why.
func TestExpiredPasswordStays(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	s.expire()
	again := []step{info(warning), secret("Current password: ", "wrong")}
	s.refused("anna", failed, slices.Concat([]step{secret("Password: ", password), info(changed)},
		again, []step{trouble(failed)}, again, []step{trouble(failed)}, again)...)

	conn := s.dial() // Escape at passwd's question
	s.until(conn, "Current password: ")
	expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
	s.quiet()
	settle(t, "passwd has ended", func() bool { return len(running(t, s.Server, named("passwd"))) == 0 })
	s.must(s.Server.SetPassword(t.Context(), "anna", password))
	s.succeeds("anna", secret("Password: ", password))
}

// until logs in until a question comes.
func (s *station) until(conn net.Conn, question string) {
	s.t.Helper()
	response := s.call(conn, &greetd.CreateSession{Username: "anna"})
	for {
		m := expect[*greetd.AuthMessage](s.t, response)
		switch {
		case m.Text == question:
			return
		case m.Type == greetd.Secret:
			response = s.call(conn, answer(password))
		default:
			response = s.call(conn, &greetd.PostResponse{})
		}
	}
}

// passwd speaks the language of sshd's own environment, and nothing depends on its words.
func TestExpiredPasswordInGerman(t *testing.T) {
	s := newStation(t)
	german := s.Server.Command(t.Context(), "root", "/usr/sbin/sshd", "-D", "-e", "-p", "2222")
	german.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=de_DE.UTF-8"}
	german.Stderr = s.sshd
	mark := s.sshd.mark()
	s.must(german.Start())
	s.sshd.wait(t, mark, "port 2222")
	s.trustPort("2222")
	s.configure(xvfb, "LDM_SERVER=server:2222")
	s.start()
	s.expire()
	s.succeeds("anna",
		secret("Password: ", password),
		info(changed),
		info("WARNING: Your password has expired.\nYou must change your password now and login again!\nÄndern des Passworts für anna."),
		secret("Geben Sie das aktuelle Passwort ein: ", password),
		secret("Geben Sie ein neues Passwort ein: ", "x"), secret("Geben Sie das neue Passwort erneut ein: ", "x"),
		trouble("Sie müssen ein längeres Passwort auswählen."),
		secret("Geben Sie ein neues Passwort ein: ", fresh), secret("Geben Sie das neue Passwort erneut ein: ", fresh),
		info("passwd: Passwort erfolgreich geändert"))
}

// By hand it is the same, on the terminal.
func TestExpiredPasswordByHand(t *testing.T) {
	s := newStation(t)
	s.byHand()
	s.expire()
	c := s.ldmSession("anna@server", "--", "echo", "let", "in")
	terminal, err := c.StartOnTerminal()
	s.must(err)
	defer terminal.Close()
	seen := newJournal()
	go seen.ReadFrom(terminal)
	mark := 0
	for _, turn := range [][2]string{{"Password: ", password}, {"Current password: ", password}, {"New password: ", fresh}, {"Retype new password: ", fresh}} {
		mark = seen.wait(t, mark, turn[0])
		_, err := terminal.WriteString(turn[1] + "\n")
		s.must(err)
	}
	seen.wait(t, mark, "let in")
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, seen)
	}
	if strings.Contains(seen.String(), password) || strings.Contains(seen.String(), fresh) {
		t.Error("a password was shown")
	}
}
