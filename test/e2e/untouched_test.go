package e2e

import "testing"

// Nobody touches the keyboard: a session begins by itself, and again after its
// end.
func TestLoginWithoutAPerson(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_SESSION=icewm-session", "LDM_AUTOLOGIN=True", "LDM_USERNAME=anna", "LDM_PASSWORD='"+password+"'")
	s.launch()
	s.log.wait(t, 0, "the session has started")
	s.waitWindow("icewm")
	mark := s.log.mark()
	s.logOut()
	s.log.wait(t, mark, "the session has started")
	s.waitWindow("icewm")
}

// A guest gets in with one key. Whoever types a name is not logged in as one
// meanwhile; who leaves it empty is.
func TestGuestAtTheKeyboard(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_SESSION=icewm-session", "LDM_GUESTLOGIN=True", "LDM_LOGIN_TIMEOUT=20", "LDM_USERNAME=anna", "LDM_PASSWORD='"+password+"'")
	s.start()
	s.title("User name")
	s.typed("@guest@")
	s.title("Password:")
	s.pressed("Escape")
	s.title("User name")
	mark := s.log.mark()
	s.pressed("F2")
	s.log.wait(t, mark, "the session has started")
	s.waitWindow("icewm")
	mark = s.log.mark()
	s.logOut()
	s.log.wait(t, mark, "the session has started") // after the timeout
}

// The server refuses: the login screen stays, where a person can log in.
func TestAutomaticLoginRefused(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_SESSION=icewm-session", "LDM_AUTOLOGIN=True", "LDM_USERNAME=bert", "LDM_PASSWORD=wrong")
	s.launch()
	s.log.wait(t, 0, "did not accept")
	s.title("User name")
	s.typed("anna")
	s.title("Password:")
	mark := s.log.mark()
	s.typed(password)
	s.log.wait(t, mark, "the session has started")
}

// pressed presses a key of the seat's keyboard.
func (s *station) pressed(key string) {
	s.t.Helper()
	if _, err := s.onDisplay("xdotool", "key", key); err != nil {
		s.t.Fatal(err)
	}
}
