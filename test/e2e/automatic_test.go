package e2e

import (
	"strings"
	"testing"

	"goldm/ldm/greetd"
)

// A client logs in by itself; a failure comes back with its reason and a pause
// that grows; guests get in only where they may.
func TestAutomaticAndGuestLogin(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_GREETER='sleep infinity'", "LDM_GUESTLOGIN=True", "LDM_USERNAME=anna", "LDM_PASSWORD='"+password+"'")
	s.launch()
	s.log.wait(t, 0, "msg=started process=greeter")
	conn := s.dial()
	expect[*greetd.Error](t, s.call(conn, &greetd.AutomaticSession{}))
	expect[*greetd.Success](t, s.call(conn, &greetd.AutomaticSession{Guest: true}))
	expect[*greetd.Success](t, s.call(conn, &greetd.CancelSession{}))
	if strings.Contains(s.log.String(), password) {
		t.Error("the log has the password")
	}

	_, err := s.Server.Output(t.Context(), "usermod", "--lock", "anna")
	s.must(err)
	s.stop()
	s.configure(xvfb, "LDM_GREETER='sleep infinity'", "LDM_USERNAME=anna", "LDM_PASSWORD='"+password+"'", "[client]", "LDM_AUTOLOGIN=True")
	mark := s.log.mark()
	s.launch()
	s.log.wait(t, mark, "msg=started process=greeter")
	conn = s.dial()
	for _, pause := range []int{0, 10, 20} {
		seat := expect[*greetd.Seat](t, s.call(conn, &greetd.Describe{}))
		if seat.Guest || seat.Automatic == nil || seat.Automatic.After != pause {
			t.Errorf("got %+v, %+v, want a pause of %d", seat, seat.Automatic, pause)
		}
		failed := expect[*greetd.Error](t, s.call(conn, &greetd.AutomaticSession{}))
		if failed.Type != greetd.AuthError || failed.Description == "" {
			t.Errorf("got %+v", failed)
		}
	}
	expect[*greetd.Error](t, s.authenticate(conn, "@guest@", "@guest@"))
}

// Only the listed users are let in on this client.
func TestUserAllow(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_USER_ALLOW=bert")
	s.start()
	s.log.wait(t, 0, "state=up") // the probe asks servers whoever comes
	mark := s.sshd.mark()
	failed := expect[*greetd.Error](t, s.authenticate(s.dial(), "anna", password))
	if !strings.Contains(failed.Description, "other users") {
		t.Errorf("got %+v", failed)
	}
	if strings.Contains(s.sshd.String()[mark:], "Connection from") {
		t.Error("the server was asked about a user who is not allowed")
	}
}
