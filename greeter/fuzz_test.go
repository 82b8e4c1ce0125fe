package greeter_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"goldm/greeter"
	"goldm/ldm/greetd"
)

// What a server says reaches the screen harmless and bounded, whatever it is.
func FuzzServerText(f *testing.F) {
	f.Add("Password: ", "secret")
	f.Add("\x1b]0;x\x07\u202egnp.exe\n\n\nlast", "info")
	f.Add(strings.Repeat("x\n", 9000), "error")
	f.Fuzz(func(t *testing.T, s, kind string) {
		m := greeter.NewModel(s)
		m.Step(greeter.Opened{})
		m.Step(greeter.Received{Response: &greetd.Seat{
			Hostname: s, Servers: []string{s, kind},
			States:  map[string]string{s: kind, kind: greetd.Down},
			Notices: []string{s, s, s, s, s},
			Guest:   true, Automatic: &greetd.Automatic{After: len(s)},
		}})
		for range 3 {
			check(t, m.View())
			m.Step(greeter.ServerTurned{})
		}
		check(t, m.View())
		m.Step(greeter.Submitted{Turn: m.View().Turn, Text: "anna"})
		for range 20 {
			m.Step(greeter.Received{Response: &greetd.AuthMessage{Type: greetd.Info, Text: s}})
		}
		m.Step(greeter.Woken{})
		for _, r := range []greetd.Response{
			&greetd.Progress{Text: s}, &greetd.AuthMessage{Type: kind, Text: s}, &greetd.Error{Type: kind, Description: s},
		} {
			m.Step(greeter.Received{Response: r})
			check(t, m.View())
		}
	})
}

func check(t *testing.T, v greeter.View) {
	lines := []string{v.Title, v.Servers, v.User, v.Label, v.Status, v.Hint}
	lines = append(lines, v.Notices...)
	for _, s := range lines {
		if strings.Contains(s, "\n") || utf8.RuneCountInString(s) > 200 {
			t.Errorf("not one line of at most 200: %q", s)
		}
	}
	if len(v.Messages) > 12 || len(v.Notices) > 4 {
		t.Errorf("%d messages, %d notices", len(v.Messages), len(v.Notices))
	}
	for _, m := range v.Messages {
		if utf8.RuneCountInString(m.Text) > 3000 {
			t.Errorf("message of %d bytes", len(m.Text))
		}
		lines = append(lines, strings.ReplaceAll(m.Text, "\n", " "))
	}
	for _, s := range lines {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("harmful: %q", s)
		}
	}
}
