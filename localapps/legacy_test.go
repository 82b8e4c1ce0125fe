package localapps

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11/xtest"
)

// commands is a Runner that hands out what LTSP_COMMAND asked for.
func commands(t *testing.T) (runnerFunc, func() Request) {
	ran := make(chan Request, 100)
	run := func(r Request, report func(State)) {
		report(State{Name: Started})
		report(State{Name: Exited})
		ran <- r
	}
	return run, func() Request {
		t.Helper()
		select {
		case r := <-ran:
			return r
		case <-time.After(patience):
			t.Fatal("nothing ran")
			return Request{}
		}
	}
}

// What people type and old desktop files hold, with the real xprop.
func TestCommand(t *testing.T) {
	run, next := commands(t)
	s := serve(t, xtest.Start(t), run)
	for _, tt := range []struct {
		kind, line string
		want       []string
	}{
		{"8u", "firefox", []string{"firefox"}},
		{"8s", "firefox", []string{"firefox"}},
		{"8u", "gedit 'a b.txt'", []string{"gedit", "a b.txt"}},
		{"8u", `gedit "größe.txt" 日本`, []string{"gedit", "größe.txt", "日本"}},
		{"8s", `gedit "größe.txt"`, []string{"gedit", "größe.txt"}},
		{"8s", "xterm ", []string{"xterm"}}, // as LTSP 5's own script does
	} {
		s.xprop("-root", "-f", "LTSP_COMMAND", tt.kind, "-set", "LTSP_COMMAND", tt.line)
		got := next()
		if diff := cmp.Diff(tt.want, got.Args); diff != "" || !got.Legacy || got.Wait {
			t.Errorf("%s %s: %+v", tt.kind, tt.line, got)
		}
	}
	if out := s.xprop("-root", "LTSP_COMMAND"); !strings.Contains(out, "not found") {
		t.Errorf("afterwards %s", out)
	}
}

func TestCommandWait(t *testing.T) {
	run, next := commands(t)
	s := serve(t, xtest.Start(t), run)
	for _, want := range []bool{true, false} {
		if want {
			s.xprop("-root", "-f", "LTSP_COMMAND_WAIT", "8s", "-set", "LTSP_COMMAND_WAIT", "true")
		}
		s.xprop("-root", "-f", "LTSP_COMMAND", "8s", "-set", "LTSP_COMMAND", "x")
		if got := next(); got.Wait != want {
			t.Errorf("%+v, want %v", got, want)
		}
	}
}

// What would need a shell, or makes no sense, is refused; the next one works.
func TestBadCommands(t *testing.T) {
	run, next := commands(t)
	s := serve(t, xtest.Start(t), run)
	for _, tt := range []struct{ kind, line, said string }{
		{"8u", "firefox ;id", "special characters"},
		{"8u", "firefox $(id)", "special characters"},
		{"8u", "firefox `id`", "special characters"},
		{"8u", "firefox 'x", "quote is not closed"},
		{"8u", "'' x", "no program"},
		{"8u", strings.Repeat("x", MaxArgs+1), "longer than"},
		{"32c", "7", "neither STRING"},
	} {
		before := len(s.log.String())
		s.xprop("-root", "-f", "LTSP_COMMAND", tt.kind, "-set", "LTSP_COMMAND", tt.line)
		eventually(t, "log "+tt.said, func() bool { return strings.Contains(s.log.String()[before:], tt.said) })
		if said := s.log.String()[before:]; strings.Contains(said, "id") && strings.Contains(said, "firefox") {
			t.Errorf("the command is in the log: %s", said)
		}
	}
	s.xprop("-root", "-f", "LTSP_COMMAND", "8u", "-set", "LTSP_COMMAND", "") // none
	s.xprop("-root", "-f", "LTSP_COMMAND", "8u", "-set", "LTSP_COMMAND", "good")
	if got := next(); got.Args[0] != "good" {
		t.Errorf("%q ran", got.Args)
	}
}

func TestTextOfCommands(t *testing.T) {
	for raw, want := range map[string]string{"gr\xf6\xdfe": "größe", "größe": "größe", "x": "x"} {
		if got := fromString(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// What the last session left does not count, what this one says does.
func TestLogoutAction(t *testing.T) {
	x := xtest.Start(t)
	run, next := commands(t)
	before := &stage{t: t, x: x}
	set := func(action string) {
		before.xprop("-root", "-f", "LTSP_LOGOUT_ACTION", "8s", "-set", "LTSP_LOGOUT_ACTION", action)
	}
	set("HALT")
	before.xprop("-root", "-f", "LTSP_COMMAND", "8s", "-set", "LTSP_COMMAND", "left-over")
	s := serve(t, x, run)
	if got := s.LogoutAction(); got != "" {
		t.Errorf("from before: %q", got)
	}
	for action, want := range map[string]string{"HALT": Halt, "REBOOT": Reboot, "": "", "halt -p": "", strings.Repeat("HALT", 2000): ""} {
		set(action)
		if got := s.LogoutAction(); got != want {
			t.Errorf("%.20q: %q", action, got)
		}
	}
	s.xprop("-root", "-f", "LTSP_COMMAND", "8s", "-set", "LTSP_COMMAND", "new")
	if got := next(); got.Args[0] != "new" {
		t.Errorf("%q ran", got.Args)
	}
	if string(trimEnd([]byte("HALT\x00"))) != Halt {
		t.Error("LXDE's NUL stays")
	}
}
