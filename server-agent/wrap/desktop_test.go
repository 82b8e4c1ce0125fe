package wrap_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tell prints what a session script was given, a line each.
const tell = `
for arg; do echo "tell:arg $arg"; done
for name in FROM_PROFILE DESKTOP_SESSION XDG_CURRENT_DESKTOP DBUS_SESSION_BUS_ADDRESS LTSP_SESSION_ID; do
	eval "value=\${$name-unset}"
	echo "tell:$name $value"
done
if read -r line; then echo "tell:stdin $line"; else echo "tell:stdin empty"; fi
echo tell:done
`

func TestProfiles(t *testing.T) {
	for name, profile := range map[string]string{
		"plain":        "export FROM_PROFILE=yes",
		"exits":        "export FROM_PROFILE=yes; exit 1",
		"fails":        "export FROM_PROFILE=yes; set -eu; false",
		"unset":        "export FROM_PROFILE=yes; set -u; echo $NOT_THERE",
		"syntax error": "export FROM_PROFILE=yes\nif then fi (",
		"arguments":    "export FROM_PROFILE=yes; set -- x y z",
		"trap":         "export FROM_PROFILE=yes; trap 'echo trapped' EXIT",
		"returns":      "export FROM_PROFILE=yes; return 3",
		"daemon":       "export FROM_PROFILE=yes; sleep 1000 &",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := prepare(t, tell)
			r.write(".profile", profile, 0o644)
			r.run()
			if got := r.lines("tell:FROM_PROFILE ", 1); got[0] != "yes" {
				t.Errorf("FROM_PROFILE is %q", got[0])
			}
			r.lines("tell:done", 1)
			r.ended(0)
		})
	}
}

func TestSessionNames(t *testing.T) {
	for _, c := range []struct {
		name, session string
		args          []string
		desktop       string
		current       string
	}{
		{"default", "", nil, "unset", "unset"},
		{"id", "mydesk", []string{"startmy --full"}, "mydesk", "MY:GTK"},
		{"exec", "startmy --full", []string{"startmy --full"}, "mydesk", "MY:GTK"},
		{"quoted exec", "odd", []string{"env 'A=1 2' sh"}, "odd", "unset"},
		{"command", "sleep 5", []string{"sleep 5"}, "sleep", "unset"},
		{"unknown", "nodesk", nil, "unset", "unset"},
		{"path", "../xsessions/mydesk", nil, "unset", "unset"},
		{"command with a path", "/bin/sleep", nil, "unset", "unset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := prepare(t, tell, "WRAP_TEST_SESSION="+c.session)
			r.cmd.Env = append(r.cmd.Env, "XDG_DATA_DIRS="+filepath.Join(r.home, "share"),
				"DBUS_SESSION_BUS_ADDRESS=unix:path=/inherited", "DESKTOP_SESSION=inherited")
			r.write("share/xsessions/mydesk.desktop", "[Desktop Entry]\nExec=startmy --full %U\nDesktopNames=MY;GTK;\n", 0o644)
			r.write("share/xsessions/odd.desktop", "[Desktop Entry]\nExec=env \"A=1 2\" sh\n", 0o644)
			r.run()
			got := told(r)
			if d := cmp.Diff(c.args, got["arg"]); d != "" {
				t.Error("arguments:", d)
			}
			if got["DESKTOP_SESSION"][0] != c.desktop || got["XDG_CURRENT_DESKTOP"][0] != c.current {
				t.Errorf("DESKTOP_SESSION %q, XDG_CURRENT_DESKTOP %q", got["DESKTOP_SESSION"], got["XDG_CURRENT_DESKTOP"])
			}
			if strings.Contains(got["DBUS_SESSION_BUS_ADDRESS"][0], "inherited") || got["LTSP_SESSION_ID"][0] != r.id {
				t.Errorf("D-Bus %q, session %q", got["DBUS_SESSION_BUS_ADDRESS"], got["LTSP_SESSION_ID"])
			}
			if got["stdin"][0] != "empty" {
				t.Errorf("standard input: %q", got["stdin"])
			}
			r.ended(0)
		})
	}
}

// told reads the output of the script tell.
func told(r *running) map[string][]string {
	said := make(map[string][]string)
	for {
		line := r.lines("tell:", 1)[0]
		if line == "done" {
			return said
		}
		key, value, _ := strings.Cut(line, " ")
		said[key] = append(said[key], value)
	}
}
