package e2e

import (
	"net"
	"slices"
	"strings"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

// serving returns sshd's processes for connections.
func (s *station) serving() []testbed.Process {
	s.t.Helper()
	return running(s.t, s.Server, func(p testbed.Process) bool {
		command := strings.Join(p.Command, " ")
		return strings.HasPrefix(command, "sshd: ") && !strings.Contains(command, "[listener]")
	})
}

// sshd does not wait for a slow typist; the person does not notice.
func TestSlowTypist(t *testing.T) {
	for _, interactive := range []string{"no", "yes"} {
		t.Run("KbdInteractiveAuthentication "+interactive, func(t *testing.T) {
			s := newStation(t)
			// Longer than PAM takes for a wrong password: up to 3 seconds, pam_fail_delay(3).
			s.restartSSHD("LoginGraceTime 8", "KbdInteractiveAuthentication "+interactive)
			s.configure(xvfb)
			s.start()
			conn := s.dial()
			s.until(conn, "Password: ")
			s.gone()
			expect[*greetd.Success](t, s.call(conn, answer(password)))
			expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))

			s.until(conn, "Password: ")
			s.gone()
			failed := expect[*greetd.Error](t, s.call(conn, answer("wrong")))
			if failed.Type != greetd.AuthError {
				t.Errorf("got %+v", failed)
			}
		})
	}
}

// gone waits until sshd serves nobody.
func (s *station) gone() {
	s.t.Helper()
	settle(s.t, "sshd serves nobody", func() bool { return len(s.serving()) == 0 })
}

// past is call for a request whose response comes after progress.
func (s *station) past(conn net.Conn, r greetd.Request, told func(string)) greetd.Response {
	s.t.Helper()
	response := s.call(conn, r)
	for {
		p, ok := response.(*greetd.Progress)
		if !ok {
			return response
		}
		told(p.Text)
		response = s.read(conn)
	}
}

// No connection is kept for a person who thinks, so that others find a place.
func TestPromptKeepsNoConnection(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	conn := s.dial()
	s.until(conn, "Password: ")
	s.gone()
	expect[*greetd.Success](t, s.call(conn, answer(password)))
}

// A server that asks something else when it is called again gets no answer to what
// it asked before; and a server that changed its key gets none at all.
func TestAnotherServerAnswers(t *testing.T) {
	s := newStation(t)
	s.restartSSHD("LoginGraceTime 1")
	s.configure(xvfb)
	s.start()
	conn := s.dial()
	s.until(conn, "Password: ")
	s.pam("auth optional pam_echo.so something else")
	s.restartSSHD("KbdInteractiveAuthentication yes", "LoginGraceTime 1")
	s.root("sed", "-i", "s/^@include common-auth/auth required pam_google_authenticator.so nullok no_increment_hotp/", "/etc/pam.d/sshd")
	s.must(s.Server.WriteFile("/home/anna/.google_authenticator", []byte("JBSWY3DPEHPK3PXP\n\" TOTP_AUTH\n12345678\n"), 0o400))
	s.root("chown", "anna:anna", "/home/anna/.google_authenticator")
	s.gone()
	m := expect[*greetd.AuthMessage](t, s.call(conn, answer(password)))
	for m.Type != greetd.Secret && m.Type != greetd.Visible {
		m = expect[*greetd.AuthMessage](t, s.call(conn, &greetd.PostResponse{}))
	}
	if m.Text != "Verification code: " {
		t.Errorf("asked %q", m.Text)
	}
	s.gone()
	s.root("sh", "-c", "rm /etc/ssh/ssh_host_*")
	s.restartSSHD("KbdInteractiveAuthentication yes")
	failed := expect[*greetd.Error](t, s.call(conn, answer("123456")))
	if !strings.Contains(failed.Description, "key") {
		t.Errorf("got %+v", failed)
	}
}

// A server with no place left is tried again, and the screen says so.
func TestBusyServer(t *testing.T) {
	s := newStation(t)
	s.restartSSHD("MaxStartups 1")
	s.configure(xvfb)
	s.start()
	occupy := func() (place net.Conn) {
		settle(t, "the place is taken", func() bool { // the probe may have it for a moment
			var err error
			place, err = s.Client.Dial(t.Context(), "tcp", "server:22")
			s.must(err)
			first := make([]byte, 1)
			if _, err := place.Read(first); err == nil && first[0] == 'S' {
				return true
			}
			place.Close()
			return false
		})
		return place
	}
	const busy = "The server server is busy. Trying again…"
	login := &greetd.CreateSession{Username: "anna", Progress: true}
	place, conn := occupy(), s.dial()
	var told []string
	expect[*greetd.AuthMessage](t, s.past(conn, login, func(text string) {
		if told = append(told, text); text == busy {
			place.Close()
		}
	}))
	if !slices.Contains(told, busy) {
		t.Errorf("progress %q", told)
	}
	nothing := func(string) {}
	expect[*greetd.Success](t, s.past(conn, answer(password), nothing))
	expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))

	// Given up meanwhile, nothing is left.
	s.gone()
	defer occupy().Close()
	cancelled := expect[*greetd.Error](t, s.past(conn, login, func(text string) {
		if text == busy {
			s.must(greetd.WriteRequest(conn, &greetd.CancelSession{}))
		}
	}))
	if !strings.Contains(cancelled.Description, "cancelled") {
		t.Errorf("got %+v", cancelled)
	}
	expect[*greetd.Success](t, s.read(conn))
	settle(t, "no worker is left", func() bool { return len(running(t, s.Client, s.worker)) == 0 })
}
