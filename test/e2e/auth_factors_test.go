package e2e

import (
	"slices"
	"strings"
	"testing"
)

const oathKey = "3132333435363738393031323334353637383930" // RFC 4226, appendix D

// pam puts lines before those of the server's PAM stack for sshd.
func (s *station) pam(lines ...string) {
	s.t.Helper()
	const stack = "/etc/pam.d/sshd"
	text, err := s.Server.ReadFile(stack)
	s.must(err)
	s.must(s.Server.WriteFile(stack, append([]byte(strings.Join(lines, "\n")+"\n"), text...), 0o644))
}

// pamAfter puts lines behind the password's in that stack.
func (s *station) pamAfter(lines ...string) {
	s.t.Helper()
	const stack, passwords = "/etc/pam.d/sshd", "@include common-auth\n"
	text, err := s.Server.ReadFile(stack)
	s.must(err)
	before, after, found := strings.Cut(string(text), passwords)
	if !found {
		s.t.Fatalf("%s has no %q", stack, passwords)
	}
	s.must(s.Server.WriteFile(stack, []byte(before+passwords+strings.Join(lines, "\n")+"\n"+after), 0o644))
}

// oath gives anna a token that counts, and returns its codes.
func (s *station) oath() []string {
	s.t.Helper()
	s.must(s.Server.WriteFile("/etc/users.oath", []byte("HOTP anna - "+oathKey+"\n"), 0o600))
	return strings.Fields(s.root("oathtool", "--hotp", "--window=20", oathKey))
}

// A password and a token's code, in one PAM stack of two modules, with what other
// modules of it say.
func TestSecondFactor(t *testing.T) {
	s := newStation(t)
	s.restartSSHD("KbdInteractiveAuthentication yes")
	codes := s.oath()
	s.must(s.Server.WriteFile("/etc/hinweis", []byte("Grüße aus der Schule.\nBitte den Code bereithalten.\n"), 0o644))
	s.must(s.Server.WriteFile("/usr/local/bin/slow-code", []byte("#!/bin/sh\nsleep 3\necho 'Der Code wurde verschickt.'\n"), 0o755))
	s.pam("auth optional pam_echo.so file=/etc/hinweis")
	s.pamAfter("auth optional pam_exec.so stdout /usr/local/bin/slow-code",
		"auth requisite pam_oath.so usersfile=/etc/users.oath window=20 digits=6")
	s.configure(xvfb)
	s.start()
	steps := func(secretWord, code string) []step {
		return []step{info("Grüße aus der Schule.\nBitte den Code bereithalten."), secret("Password: ", secretWord),
			info("Der Code wurde verschickt."), secret("One-time password (OATH) for `anna': ", code)}
	}
	s.succeeds("anna", steps(password, codes[0])...)
	s.refused("anna", "did not accept these answers", steps(password, codes[0])...)
	s.succeeds("anna", steps(password, codes[2])...)
}

// pam_google_authenticator's code by the clock.
func TestGoogleAuthenticator(t *testing.T) {
	s := newStation(t)
	s.restartSSHD("KbdInteractiveAuthentication yes")
	make := s.Server.Command(t.Context(), "anna", "google-authenticator", "--time-based", "--force", "--quiet",
		"--allow-reuse", "--no-rate-limit", "--window-size=17", "--no-confirm")
	_, err := make.Output()
	s.must(err)
	key, _, _ := strings.Cut(s.root("cat", "/home/anna/.google_authenticator"), "\n")
	s.pamAfter("auth required pam_google_authenticator.so echo_verification_code")
	s.configure(xvfb)
	s.start()
	code := func() string { return s.root("oathtool", "--totp", "--base32", key) }
	s.succeeds("anna", secret("Password: ", password), visible("Verification code: ", code()))
	s.refused("anna", "did not accept these answers", secret("Password: ", password), visible("Verification code: ", "000000"))
	s.succeeds("anna", secret("Password: ", password), visible("Verification code: ", code()))
}

// sshd itself asks for two methods, one after the other.
func TestTwoMethods(t *testing.T) {
	s := newStation(t)
	s.restartSSHD("KbdInteractiveAuthentication yes", "AuthenticationMethods password,keyboard-interactive")
	s.configure(xvfb)
	s.start()
	twice := func(first, second string) []step {
		return []step{secret("Password: ", first), secret("Password: ", second)}
	}
	progress := s.succeeds("anna", twice(password, password)...)
	if !slices.Contains(progress, "Password accepted; one more step…") {
		t.Errorf("progress %q", progress)
	}
	s.refused("anna", "accepted the first step", twice(password, "wrong")...)
	s.refused("anna", "did not accept this user name and password", secret("Password: ", "wrong"))
}

// A key and a token's code, by hand.
func TestKeyAndCode(t *testing.T) {
	s := newStation(t)
	codes := s.oath()
	s.pamAfter("auth required pam_oath.so usersfile=/etc/users.oath window=20 digits=6")
	s.root("sed", "-i", "s/^@include common-auth/#&/", "/etc/pam.d/sshd")
	s.restartSSHD("KbdInteractiveAuthentication yes", "AuthenticationMethods publickey,keyboard-interactive")
	s.byHand()
	s.giveKey()
	login := func(code string, times int, want string) error {
		c := s.ldmSession("anna@server", "--", "echo", "let", "in")
		terminal, err := c.StartOnTerminal()
		s.must(err)
		defer terminal.Close()
		seen, mark := newJournal(), 0
		go seen.ReadFrom(terminal)
		for range times {
			mark = seen.wait(t, mark, "One-time password (OATH) for `anna': ")
			_, err = terminal.WriteString(code + "\n")
			s.must(err)
		}
		seen.wait(t, mark, want)
		return c.Wait()
	}
	if err := login(codes[0], 1, "let in"); err != nil {
		t.Error(err)
	}
	if err := login(codes[0], 3, "accepted the first step"); status(err) != 255 {
		t.Errorf("a used code: %v", err)
	}
}
