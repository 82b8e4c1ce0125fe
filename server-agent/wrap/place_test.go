package wrap_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/agentwire"
)

// A runtime directory that is none costs a warning, not the session.
func TestNoRuntimeDirectory(t *testing.T) {
	t.Parallel()
	r := prepare(t, `echo "runtime $XDG_RUNTIME_DIR $(stat -c %a "$XDG_RUNTIME_DIR")"; echo "bus $DBUS_SESSION_BUS_ADDRESS"`,
		"XDG_RUNTIME_DIR=/nonexistent/runtime")
	r.run()
	r.expect(&agentwire.Hello{Version: agentwire.Version, Agent: "test"})
	own := "/tmp/ltsp-session-" + r.id
	r.expect(&agentwire.Warning{Text: "runtime directory /nonexistent/runtime: no such file or directory; the session uses " + own + "/runtime"})
	r.expect(&agentwire.Started{})
	if got, want := r.lines("runtime /", 1)[0], strings.TrimPrefix(own, "/")+"/runtime 700"; got != want {
		t.Errorf("the runtime directory is %q, want %q", got, want)
	}
	if got := r.lines("bus ", 1)[0]; got != "unix:path="+own+"/bus" && hasBus() {
		t.Errorf("the bus is %q", got)
	}
	r.expect(&agentwire.Ended{})
	r.ended(0)
}

func hasBus() bool {
	_, err := exec.LookPath("dbus-daemon")
	return err == nil
}

// Each session has a bus of its own, whose socket goes with it even where
// the daemon had no chance to remove it.
func TestBus(t *testing.T) {
	t.Parallel()
	if !hasBus() {
		t.Skip("there is no dbus-daemon")
	}
	const script = `
echo "bus $DBUS_SESSION_BUS_ADDRESS"
[ -S "${DBUS_SESSION_BUS_ADDRESS#unix:path=}" ] || exit 1
for p in /proc/[0-9]*; do
	if grep -qsF "$DBUS_SESSION_BUS_ADDRESS" $p/cmdline; then kill -KILL ${p#/proc/} && echo "killed"; fi
done
read -r line`
	first, second := start(t, script), start(t, script)
	for _, r := range []*running{first, second} {
		if got, want := r.lines("bus ", 1)[0], "unix:path="+r.runtime+"/ltsp-session-"+r.id+"/bus"; got != want {
			t.Errorf("the bus is %q, want %q", got, want)
		}
		r.lines("killed", 1)
		r.in.Close()
		r.ended(r.status())
	}
}

// status waits for the end, whatever the status.
func (r *running) status() int {
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// systemctl is a service manager of the user's: it has the display of the file
// "display", and notes what it is told.
const systemctl = `#!/bin/sh
[ "$2" != show-environment ] || { cat "$HOME/display"; exit; }
echo "$2 $DISPLAY" >>"$HOME/told"
[ ! -e "$HOME/broken" ]
`

func TestServiceManager(t *testing.T) {
	for name, tt := range map[string]struct {
		display string
		broken  bool
		want    string
	}{
		"ours":      {"DISPLAY=:7", false, "import-environment :7\nunset-environment :7\n"},
		"another's": {"DISPLAY=:77", false, "import-environment :7\n"},
		"broken":    {"DISPLAY=:7", true, "import-environment :7\nunset-environment :7\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := prepare(t, "exit 4", "DISPLAY=:7")
			r.write("bin/systemctl", systemctl, 0o755)
			r.write("display", "LANG=C\n"+tt.display+"\n", 0o644)
			if tt.broken {
				r.write("broken", "", 0o644)
			}
			// Where the session's files lie, the manager's socket stays.
			if err := os.Mkdir(filepath.Join(r.runtime, "systemd"), 0o700); err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("unix", filepath.Join(r.runtime, "systemd", "private"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r.cmd.Env = append(r.cmd.Env, "PATH="+filepath.Join(r.home, "bin")+":"+os.Getenv("PATH"))
			// A login shell's files may set PATH anew.
			r.write(".profile", `PATH="$HOME/bin:$PATH"`, 0o644)
			r.run()
			r.begun()
			r.expect(&agentwire.Ended{Status: 4})
			r.status()
			told, err := os.ReadFile(filepath.Join(r.home, "told"))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(told)); d != "" {
				t.Error(d)
			}
		})
	}
}
