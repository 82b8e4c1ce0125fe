package room

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Browsers have their own sandbox in a room: user namespaces, since no setuid program works
// there. Chromium ends without one ("No usable sandbox!").
func TestBrowsers(t *testing.T) {
	page := `data:text/html,<p>six times seven</p><script>document.write(6*7)</script>`
	for name, script := range map[string]string{
		"chromium":    `chromium --headless --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync --dump-dom '` + page + `'`,
		"firefox-esr": `firefox-esr --headless --no-remote --profile $HOME/profile --screenshot $HOME/shot.png '` + page + `' >$HOME/log 2>&1; head -c 4 $HOME/shot.png | tail -c 3`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			r := open(t, nil)
			defer r.Close()
			home := r.Runtime() + "/home"
			got := output(t, r, "export HOME="+home+"; mkdir -p $HOME/profile; "+script+" 2>&1", Command{Bounded: true, Folder: home})
			if !strings.Contains(got, "<p>six times seven</p>") && !strings.HasSuffix(got, "PNG") || strings.Contains(got, "No usable sandbox") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}
