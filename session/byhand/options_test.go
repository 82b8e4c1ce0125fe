package byhand

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDestination(t *testing.T) {
	type parts struct {
		User, Host string
		Port       int
	}
	for destination, want := range map[string]parts{
		"server":               {"", "server", 0},
		"anna@server":          {"anna", "server", 0},
		"anna@server:2222":     {"anna", "server", 2222},
		"anna@school@server":   {"anna@school", "server", 0},
		`SCHOOL\anna@server`:   {`SCHOOL\anna`, "server", 0},
		"anna@[::1]":           {"anna", "::1", 0},
		"[::1]:22":             {"", "::1", 22},
		"anna@2001:db8::5":     {"anna", "2001:db8::5", 0},
		"anna b@192.0.2.1":     {"anna b", "192.0.2.1", 0},
		"-oProxyCommand=x@srv": {"-oProxyCommand=x", "srv", 0},
	} {
		user, host, port, err := parseDestination(destination)
		if got := (parts{user, host, port}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", destination, got, err, want)
		}
	}
	for _, bad := range []string{"", "@server", "anna@", "server:", "server:0", "server:ssh", "server:65536", "anna@[::1", "a b", "x/y"} {
		if user, host, port, err := parseDestination(bad); err == nil {
			t.Errorf("%q: %q %q %d, want an error", bad, user, host, port)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args    string
		command []string
		session string
		keys    list
	}{
		{args: "server"},
		{args: "server --session xfce", session: "xfce"},
		{args: "-i a server -i b -- xterm -e top", command: []string{"xterm", "-e", "top"}, keys: list{"a", "b"}},
		{args: "--x11 forwarded -v server -- --", command: []string{"--"}},
	} {
		o, err := parseOptions(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		if d := cmp.Diff(c.command, o.command); d != "" || o.host != "server" || o.session != c.session {
			t.Errorf("%s: %+v %s", c.args, o, d)
		}
		if d := cmp.Diff(c.keys, o.identities); d != "" {
			t.Errorf("%s: %s", c.args, d)
		}
	}
}

func TestLocale(t *testing.T) {
	got := locale([]string{"LANG=de_DE.UTF-8", "LC_TIME=C", "LANGUAGE=de", "HOME=/home/anna", "LC_EMPTY="})
	want := map[string]string{"LANG": "de_DE.UTF-8", "LC_TIME": "C", "LC_EMPTY": ""}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
