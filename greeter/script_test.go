package greeter_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"goldm/greeter"
	"goldm/ldm/greetd"
)

var update = flag.Bool("update", false, "write what the model does into the scripts")

// Each script of testdata is a list of events; under each, indented, stands what
// the model does: its actions and then the screen.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.script")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			script, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(script))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := gocmp.Diff(strings.Split(string(script), "\n"), strings.Split(got, "\n")); diff != "" && !*update {
				t.Errorf("-script +model:\n%s", diff)
			}
		})
	}
}

// play returns the script with what the model does under each event.
func play(t *testing.T, script string) string {
	m := greeter.NewModel("thin7")
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "\t"):
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
			out.WriteString(line)
		default:
			out.WriteString(line)
			for _, a := range step(t, m, strings.TrimSuffix(line, "\n")) {
				fmt.Fprintf(&out, "\t%s\n", action(t, a))
			}
			out.WriteString(screen(m.View()))
		}
	}
	return out.String()
}

// step does one line of a script. "later 9" is later nine times, with only the
// last of all the wakes.
func step(t *testing.T, m *greeter.Model, line string) []greeter.Action {
	n, err := strconv.Atoi(strings.TrimPrefix(line, "later "))
	if err != nil {
		return m.Step(event(t, m, line))
	}
	var actions []greeter.Action
	for range n {
		actions = slices.DeleteFunc(actions, func(a greeter.Action) bool {
			_, wake := a.(greeter.Wake)
			return wake
		})
		actions = append(actions, m.Step(greeter.Woken{})...)
	}
	return actions
}

// event reads a line of a script. Its text may hold \n and \e.
func event(t *testing.T, m *greeter.Model, line string) greeter.Event {
	word, s, _ := strings.Cut(line, " ")
	if word == "seat" {
		seat := &greetd.Seat{Hostname: "thin7", Servers: []string{"alpha"}}
		if err := json.Unmarshal([]byte(cmp.Or(s, "{}")), seat); err != nil {
			t.Fatal(err)
		}
		return greeter.Received{Response: seat}
	}
	s = strings.NewReplacer(`\n`, "\n", `\e`, "\x1b").Replace(s)
	if n, found := strings.CutPrefix(s, "long "); found {
		s = strings.Repeat(n, 10_000)
	}
	switch word {
	case "enter":
		return greeter.Submitted{Turn: m.View().Turn, Text: s}
	case "enter-again": // the second of a double Enter, pressed on what was there before
		return greeter.Submitted{Turn: m.View().Turn - 1, Text: s}
	case "escape":
		return greeter.Escaped{}
	case "later":
		return greeter.Woken{}
	case "typed":
		return greeter.Typed{Turn: m.View().Turn, Empty: false}
	case "typed-before": // a key that belongs to an entry field that is gone
		return greeter.Typed{Turn: m.View().Turn - 1, Empty: false}
	case "emptied":
		return greeter.Typed{Turn: m.View().Turn, Empty: true}
	case "guest":
		return greeter.GuestAsked{Turn: m.View().Turn}
	case "server":
		return greeter.ServerTurned{}
	case "opened":
		return greeter.Opened{}
	case "lost":
		return greeter.Lost{Err: errors.New(s)}
	}
	return greeter.Received{Response: response(t, word, s)}
}

func response(t *testing.T, word, s string) greetd.Response {
	switch word {
	case "visible", "secret", "info", "error":
		return &greetd.AuthMessage{Type: word, Text: s}
	case "success":
		return &greetd.Success{}
	case "refused":
		return &greetd.Error{Type: greetd.AuthError, Description: s}
	case "failed":
		return &greetd.Error{Type: greetd.OtherError, Description: s}
	case "progress":
		return &greetd.Progress{Text: s}
	}
	t.Fatalf("unknown event %q", word)
	return nil
}

func action(t *testing.T, a greeter.Action) string {
	switch a := a.(type) {
	case greeter.Send:
		body, err := json.Marshal(a.Request)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("send %s %s", strings.TrimPrefix(fmt.Sprintf("%T", a.Request), "*greetd."), body)
	case greeter.Reopen:
		return "reopen"
	case greeter.Wake:
		return "wake after " + a.After.String()
	case greeter.Leave:
		if a.Err != nil {
			return "leave: " + a.Err.Error()
		}
		return "leave"
	}
	t.Fatalf("unknown action %T", a)
	return ""
}

func screen(v greeter.View) string {
	var b strings.Builder
	field := map[greeter.Entry]string{
		greeter.Locked: "locked", greeter.Visible: "visible", greeter.Secret: "secret",
	}[v.Entry]
	fmt.Fprintf(&b, "\t| turn %d %s %q holds %q", v.Turn, field, v.Label, v.Text)
	if v.User != "" {
		fmt.Fprintf(&b, " for %.40q", v.User)
	}
	b.WriteString("\n")
	if v.Choice || strings.Contains(v.Servers, " ") {
		fmt.Fprintf(&b, "\t| %s\n", v.Servers)
	}
	if v.Guest {
		b.WriteString("\t| guest button\n")
	}
	for _, m := range v.Messages {
		kind := map[greeter.Kind]string{greeter.Info: "info", greeter.Trouble: "trouble"}[m.Kind]
		fmt.Fprintf(&b, "\t| %s: %.100q\n", kind, m.Text)
	}
	for _, n := range v.Notices {
		fmt.Fprintf(&b, "\t| notice: %s\n", n)
	}
	if v.Status != "" {
		fmt.Fprintf(&b, "\t| %s: %s\n", map[bool]string{true: "busy", false: "status"}[v.Busy], v.Status)
	}
	return b.String()
}
