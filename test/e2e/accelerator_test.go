package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/internal/testbed/link"
	"goldm/ldm/greetd"
	"goldm/server-agent/sessions"
)

// farHalf picks the accelerator's process on the server.
func farHalf(p testbed.Process) bool {
	return p.Program() == "ltsp-server-agent" && slices.Contains(p.Command, "x11")
}

// displayName is what the desktop on the server has for DISPLAY.
func (s *station) displayName() string {
	s.t.Helper()
	return strings.TrimSpace(s.shell("echo $DISPLAY"))
}

// lastWord is what the login screen says of the session before.
func (s *station) lastWord() string {
	s.t.Helper()
	seat := expect[*greetd.Seat](s.t, s.call(s.dial(), &greetd.Describe{}))
	return strings.Join(seat.Notices, " ")
}

// A session by the accelerator is one like others: programs of the client are asked for by
// both ways, and its end leaves nothing, whatever comes first.
func TestLoginAccelerated(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_X11=accelerated", "LOCAL_APPS=True", "SOUND=False")
	s.must(s.Client.WriteFile("/usr/local/bin/note", []byte("#!/bin/sh\necho $1 >>/tmp/notes\n"), 0o755))
	s.forwardNothing()
	s.start()
	ends := map[string]func(){
		"logout":  s.logOut,
		"farhalf": func() { s.killFarHalf() },
		"sshd":    func() { s.Server.Output(t.Context(), "pkill", "-KILL", "-u", "anna", "sshd") },
		"worker":  func() { s.signal(running(t, s.Client, s.worker)[0], "KILL") },
	}
	for _, name := range []string{"logout", "farhalf", "sshd", "worker"} {
		x := s.xServer()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		if got := s.displayName(); got != ":100.0" {
			t.Errorf("%s: the desktop's display is %q", name, got)
		}
		if out, status := s.inDesktop("ltsp-localapps", "--wait", "note", name); status != 0 {
			t.Errorf("%s: status %d: %s", name, status, out)
		}
		s.askByProperty("note " + name)
		settle(t, name+": both requests ran", func() bool {
			notes, err := s.roomFile("/tmp/notes")
			return err == nil && strings.Count(string(notes), name+"\n") == 2
		})
		s.isLean(name)
		mark := s.log.mark()
		ends[name]()
		s.backAtLogin(mark, x)
		if said := s.lastWord(); (said == "") != (name == "logout") || name == "farhalf" && !strings.Contains(said, "lost the way to this screen") {
			t.Errorf("%s: the login screen says %q", name, said)
		}
		settle(t, name+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(name)
	}
	if strings.Contains(s.log.String(), "no accelerator") {
		t.Error("windows were forwarded")
	}
}

// isLean checks that the agent's processes of a session are of the program that is made for these.
func (s *station) isLean(name string) {
	s.t.Helper()
	agents := slices.DeleteFunc(s.anna(), func(p testbed.Process) bool {
		return p.Program() != sessions.Wrapper && p.Program() != sessions.Keeper
	})
	if len(agents) != 3 { // x11 is the third
		s.t.Errorf("%s: the agent's processes are %v", name, agents)
	}
	for _, p := range agents {
		file, err := s.Server.Output(s.t.Context(), "readlink", fmt.Sprintf("/proc/%d/exe", p.PID))
		if err != nil || filepath.Base(strings.TrimSpace(file)) != "ltsp-session-agent" {
			s.t.Errorf("%s: %v is of %s, %v", name, p, file, err)
		}
	}
}

// forwardNothing takes from the server what SSH's own forwarding needs.
func (s *station) forwardNothing() {
	s.t.Helper()
	s.must(s.Server.WriteFile("/etc/ssh/sshd_config.d/10-no-x11.conf", []byte("X11Forwarding no\n"), 0o644))
	mark := s.sshd.mark()
	_, err := s.Server.Output(s.t.Context(), "sh", "-c", "rm /usr/bin/xauth && kill -HUP $(cat /run/sshd.pid)")
	s.must(err)
	s.sshd.wait(s.t, mark, "Server listening on")
}

func (s *station) killFarHalf() {
	s.t.Helper()
	found := running(s.t, s.Server, farHalf)
	if len(found) != 1 {
		s.t.Fatalf("far halves: %v", found)
	}
	_, err := s.Server.Output(s.t.Context(), "kill", "-KILL", strconv.Itoa(found[0].PID))
	s.must(err)
}

// A session whose programs do not use the display ends with it too, and one of whose
// client is not heard any more ends the display.
func TestAcceleratedEndsWhole(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.WriteFile("/usr/share/xsessions/patient.desktop", []byte("[Desktop Entry]\nType=Application\nName=Patient\nExec=sleep 54321\n"), 0o644))
	s.configure(xvfb, "LDM_X11=accelerated", "SOUND=False")
	s.start()
	for name, end := range map[string]func(){
		"far half": func() { s.killFarHalf() },
		"network":  func() { s.must(s.Lose()) },
	} {
		x := s.xServer()
		s.login("anna", password, "patient")
		settle(t, "the session runs", func() bool { return len(running(t, s.Server, named("sleep"))) == 1 })
		mark := s.log.mark()
		end()
		s.backAtLogin(mark, x)
		if said := s.lastWord(); said == "" {
			t.Errorf("%s: the login screen says nothing", name)
		}
		settle(t, name+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
		s.noFiles(name)
		s.must(s.Restore())
	}
}

// The way is the configuration's: forwarding where it says so, and where there is no accelerator.
// That is told where it was asked for.
func TestLoginForwarded(t *testing.T) {
	for name, tt := range map[string]struct {
		setting string
		options []option
		told    bool
	}{
		"asked for":            {"LDM_X11=forwarded", nil, false},
		"no agent":             {"", []option{plain}, false},
		"no agent, asked for":  {"LDM_X11=accelerated", []option{plain}, true},
		"old agent":            {"LDM_X11=auto", []option{oldAgent(t)}, false},
		"old agent, asked for": {"LDM_X11=accelerated", []option{oldAgent(t)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, tt.options...)
			s.configure(xvfb, "SOUND=False", tt.setting)
			s.start()
			s.login("anna", password, "icewm-session")
			s.waitWindow("icewm")
			if got := s.displayName(); !strings.HasPrefix(got, "localhost:") {
				t.Errorf("the desktop's display is %q", got)
			}
			if got := strings.Count(s.log.String(), "no accelerator"); got > 1 || (got == 1) != tt.told {
				t.Errorf("it is told %d times", got)
			}
			x, mark := s.xServer(), s.log.mark()
			s.logOut()
			s.backAtLogin(mark, x)
		})
	}
}

// oldAgent has an agent on the server that knows no accelerator.
func oldAgent(t *testing.T) option {
	path := filepath.Join(t.TempDir(), "ltsp-server-agent")
	script := "#!/bin/sh\nif [ \"$1\" = x11 ]; then echo 'ltsp-server-agent: unknown command x11' >&2; exit 2; fi\nexec icewm-session\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return func(c *testbed.Config) { c.ServerPrograms = []string{path} }
}

// Programs see through the accelerator what forwarding shows them; without an agent on the server they
// are forwarded.
func TestByHandAccelerated(t *testing.T) {
	for way, options := range map[string][]option{"agent": nil, "plain": {plain}} {
		t.Run(way, func(t *testing.T) {
			s := newStation(t, options...)
			s.byHand()
			s.giveKey()
			ctx := t.Context()
			s.must(s.Client.Command(ctx, "carl", "sh", "-c", "xauth -q add :9 . 00112233445566778899aabbccddeeff; exec Xvfb :9 -noreset -auth .Xauthority").Start())
			settle(t, "the display is up", func() bool {
				_, err := s.Client.Stat("/tmp/.X11-unix/X9")
				return err == nil
			})
			show := func(way string) string {
				c := s.Client.Command(ctx, "carl", "ldm-session", "--no-sound", "--x11", way, "anna@server", "--",
					"xdpyinfo >&2; xterm -e touch mark && rm mark; echo $DISPLAY; xdpyinfo")
				c.Env = append(c.Env, "DISPLAY=:9")
				out, err := c.Output()
				if err != nil {
					t.Fatalf("%s: %v: %s", way, err, out)
				}
				return string(out)
			}
			forwarded, accelerated := show("forwarded"), show("accelerated")
			if got, want := strings.HasPrefix(accelerated, ":100.0\nname of display:    :100.0\n"), way == "agent"; got != want {
				t.Errorf("the display is %.80q", accelerated)
			}
			if _, a, _ := strings.Cut(accelerated, "\nversion number"); !strings.HasSuffix(forwarded, a) {
				t.Errorf("forwarded: %s\naccelerated: %s", forwarded, accelerated)
			}
			if strings.Contains(accelerated, "MIT-SHM") || !strings.Contains(accelerated, "RENDER") {
				t.Errorf("extensions: %s", accelerated)
			}
		})
	}
}

// By itself the accelerator is used over a long link, and not over a short one.
func TestByHandAutomatically(t *testing.T) {
	s := newStation(t)
	s.byHand()
	s.giveKey()
	for delay, want := range map[time.Duration]string{0: "localhost:10.0\n", 10 * time.Millisecond: ":100.0\n"} {
		s.must(s.Lengthen(link.Shape{Delay: delay}))
		c := s.Client.Command(t.Context(), "carl", "ldm-session", "--no-sound", "anna@server", "--", "echo $DISPLAY")
		c.Env = append(c.Env, "DISPLAY=:7")
		if out, err := c.Output(); err != nil || string(out) != want {
			t.Errorf("delay %v: %v, %q, want %q", delay, err, out, want)
		}
	}
}
