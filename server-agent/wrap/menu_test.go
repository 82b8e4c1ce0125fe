package wrap_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/agentwire"
	"goldm/internal/bundle"
)

// tellMenu prints where a desktop looks for programs, and the first that it finds there.
const tellMenu = `
echo "menu:$XDG_DATA_DIRS"
echo "menu:$XDG_CONFIG_DIRS"
for file in ${XDG_DATA_DIRS##*:}/applications/*.desktop; do echo "menu:$(cat $file)"; done
`

// sendMenu sends a menu in small parts, with a ping between them.
func (r *running) sendMenu(files ...bundle.File) {
	r.t.Helper()
	packed, err := bundle.Pack(files)
	if err != nil {
		r.t.Fatal(err)
	}
	for len(packed) > 0 {
		part := packed[:min(len(packed), 100)]
		packed = packed[len(part):]
		agentwire.Write(r.in, &agentwire.Menu{Data: part})
	}
	agentwire.Write(r.in, &agentwire.Ping{})
	agentwire.Write(r.in, &agentwire.MenuEnd{})
}

func (r *running) hello() {
	r.t.Helper()
	r.expect(&agentwire.Hello{Version: agentwire.Version, Agent: "test"})
}

func TestMenu(t *testing.T) {
	t.Parallel()
	r := prepare(t, tellMenu, "WRAP_TEST_MENU=1h")
	r.write(".profile", "export XDG_DATA_DIRS=/opt/share\n", 0o644)
	r.run()
	r.hello()
	r.sendMenu(bundle.File{Path: "share/applications/x.desktop", Data: []byte("entry")},
		bundle.File{Path: "config/mimeapps.list", Data: []byte("[Default Applications]\n")})
	r.expect(&agentwire.Pong{})
	r.expect(&agentwire.Started{})
	dir := filepath.Join(r.runtime, "ltsp-menu-1")
	want := []string{dir + "/first:/opt/share:" + dir + "/last", dir + "/config:/etc/xdg", "entry"}
	if d := cmp.Diff(want, r.lines("menu:", len(want))); d != "" {
		t.Error(d)
	}
	r.expect(&agentwire.Ended{Status: 0})
	r.ended(0)
}

// A desktop starts without a menu that is late, or no menu.
func TestNoMenu(t *testing.T) {
	for name, tt := range map[string]struct {
		wait string
		send func(r *running)
	}{
		"late":       {"100ms", func(r *running) {}},
		"no menu":    {"1h", func(r *running) { r.sendMenu() }},
		"no bundle":  {"1h", func(r *running) { agentwire.Write(r.in, &agentwire.Menu{Data: []byte("x")}); r.sendMenu() }},
		"bad folder": {"1h", func(r *running) { r.sendMenu(bundle.File{Path: "etc/passwd"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, `echo "tell:${XDG_DATA_DIRS-unset}"`, "WRAP_TEST_MENU="+tt.wait)
			tt.send(r)
			if got := r.lines("tell:", 1)[0]; got != "unset" {
				t.Errorf("XDG_DATA_DIRS is %q", got)
			}
			r.ended(0)
		})
	}
}

// A client that goes while its menu is due ends the session.
func TestEndBeforeMenu(t *testing.T) {
	for name, end := range map[string]func(r *running){
		"end of input": func(r *running) { r.in.Close() },
		"end message":  func(r *running) { agentwire.Write(r.in, &agentwire.End{}) },
		"TERM":         func(r *running) { r.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, "exec sleep 1000", "WRAP_TEST_MENU=1h")
			r.hello()
			end(r)
			r.cmd.Wait()
			if left := marked(r.mark); len(left) > 0 {
				t.Errorf("left behind: %s", strings.Join(left, "\n"))
			}
		})
	}
}
