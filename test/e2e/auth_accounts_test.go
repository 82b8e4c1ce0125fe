package e2e

import (
	"strings"
	"testing"
)

// An account that the server does not let in: its own reason is shown once, if it
// gives one, in both ways to ask for a password.
func TestReasons(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	const wrong = "did not accept this user name and password"
	nologin := func() {
		s.must(s.Server.WriteFile("/etc/nologin", []byte("Wartung bis 10 Uhr – später kommen.\x1b[2J\n"), 0o644))
	}
	for _, interactive := range []string{"no", "yes"} {
		ask := "KbdInteractiveAuthentication " + interactive
		for name, tt := range map[string]struct {
			begin, end func()
			sshd       string
			words      string
		}{
			"locked":         {func() { s.root("usermod", "-L", "anna") }, func() { s.root("usermod", "-U", "anna") }, "", wrong},
			"expired":        {func() { s.root("usermod", "-e", "1", "anna") }, func() { s.root("usermod", "-e", "", "anna") }, "", "Your account has expired; please contact your system administrator."},
			"nologin":        {nologin, func() { s.root("rm", "/etc/nologin") }, "", "Wartung bis 10 Uhr – später kommen."},
			"not allowed":    {func() {}, func() {}, "AllowUsers berta", wrong},
			"denied group":   {func() {}, func() {}, "DenyGroups anna", wrong},
			"wrong password": {func() { s.must(s.Server.SetPassword(t.Context(), "anna", "another")) }, func() { s.must(s.Server.SetPassword(t.Context(), "anna", password)) }, "", wrong},
		} {
			t.Log(ask, name)
			s.restartSSHD(ask, tt.sshd)
			tt.begin()
			s.refused("anna", tt.words, secret("Password: ", password))
			tt.end()
		}
		s.restartSSHD(ask)
		s.succeeds("anna", secret("Password: ", password))
	}
	if strings.Contains(s.log.String(), "\x1b") {
		t.Error("the log has control characters")
	}
}

// PAM counts sessions only once the user is in, and sshd tells only a command that it does not run.
func TestTooManySessions(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.WriteFile("/etc/security/limits.d/few.conf", []byte("anna hard maxlogins 0\n"), 0o644))
	s.configure(xvfb)
	s.start()
	s.refused("anna", "It says: There were too many logins for 'anna'.", secret("Password: ", password))
	s.must(s.Server.WriteFile("/etc/security/limits.d/few.conf", nil, 0o644))
	s.succeeds("anna", secret("Password: ", password))
}
