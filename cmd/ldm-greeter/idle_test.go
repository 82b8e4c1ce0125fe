package main_test

import (
	"testing"
	"time"
)

const (
	automatic = "create_automatic_session"
	guest     = "create_automatic_session of a guest"
)

func TestGuestByKeyboard(t *testing.T) {
	for name, keys := range map[string][]string{"F2": {"F2"}, "Tab": {"Tab", "Return"}, "typing": {"x", "Tab", "space"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, "800x600", "--guest=ready")
			s.hears("describe")
			for _, k := range keys {
				s.presses(k)
			}
			s.hears(guest)
			s.logsIn()
		})
	}
}

// After an Escape the keyboard is at the name again, wherever it was before.
func TestGuestEscaped(t *testing.T) {
	t.Parallel()
	s := newSession(t, "1920x1080", "--guest=slow")
	s.presses("Tab")
	s.picture("button")
	s.presses("Return")
	s.sees(": Connecting to alpha.example.org …")
	s.picture("guest")
	s.presses("Escape")
	s.hears("closed")
	s.sees(": User name")
	s.types("anna")
	s.sees(": Password:")
	s.types("secret")
	s.logsIn()
}

func TestAutomaticLogin(t *testing.T) {
	t.Parallel()
	s := startSession(t, "1024x768", "--automatic=ready", "--after=0")
	s.hears(automatic)
	s.logsIn()
}

func TestAutomaticLoginEscaped(t *testing.T) {
	t.Parallel()
	s := startSession(t, "800x600", "--automatic=slow", "--after=2")
	s.hears("describe")
	s.hears(automatic)
	s.sees(": Connecting to alpha.example.org …")
	s.picture("automatic")
	s.presses("Escape")
	s.hears("closed")
	s.sees(": User name")
	s.types("anna")
	s.sees(": Password:")
	s.types("secret")
	s.logsIn()
}

// A text in the entry field stops what would begin; none lets it begin.
func TestTypingStaysHere(t *testing.T) {
	t.Parallel()
	const after = 6 * time.Second
	s := newSession(t, "1920x1080", "--guest=ready", "--after=6")
	s.hears("describe")
	s.presses("x")
	s.picture("stopped")
	for limit := time.After(after + 2*time.Second); limit != nil; {
		select {
		case e := <-s.events:
			if e != "describe" {
				t.Fatalf("the daemon heard %q", e)
			}
		case <-limit:
			limit = nil
		}
	}
	s.presses("BackSpace")
	s.picture("countdown")
	s.hears(guest)
	s.logsIn()
}

func TestAutomaticLoginFails(t *testing.T) {
	t.Parallel()
	s := startSession(t, "800x600", "--guest=ready", "--automatic=locked", "--after=0")
	s.hears(automatic)
	s.hears("describe") // when is the next try?
	s.sees(": User name")
	s.picture("next-try")
	s.hears(automatic)
	s.hears("describe")
	s.insists("F2", guest) // the title was the same before the failure
	s.logsIn()
}

func TestServerChoice(t *testing.T) {
	t.Parallel()
	s := newSession(t, "800x600")
	s.hears("describe")
	s.presses("F3")
	s.presses("F3")
	s.picture("chosen")
	s.types("anna")
	s.hears(`create_session "anna" on beta.example.org`)
	s.sees(": Password:")
	s.types("secret")
	s.logsIn()
}
