package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"goldm/internal/testbed"
	"goldm/ldm/wire"
)

// inDesktop is a command in the session on the server, and its exit status.
func (s *station) inDesktop(argv ...string) (out string, status int) {
	s.t.Helper()
	out, err := s.as(argv...)
	if err == nil {
		return out, 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		s.t.Fatal(err)
	}
	return out + err.Error(), exit.ExitCode() // the error quotes standard error
}

// ask asks for a program of the client by the old way.
func (s *station) askByProperty(command string) {
	s.t.Helper()
	_, err := s.as("xprop", "-root", "-f", "LTSP_COMMAND", "8u", "-set", "LTSP_COMMAND", command)
	s.must(err)
}

// onClient returns the session's programs on the client of that name.
func (s *station) onClient(name string) []testbed.Process {
	s.t.Helper()
	return running(s.t, s.Client, func(p testbed.Process) bool { return local(p) && p.Program() == name })
}

// roomFile reads a file of the login's room on the client, whose own are read-only there.
func (s *station) roomFile(path string) ([]byte, error) {
	s.t.Helper()
	for _, p := range running(s.t, s.Client, local) {
		out, err := s.Client.Output(s.t.Context(), "cat", fmt.Sprintf("/proc/%d/root%s", p.PID, path))
		return []byte(out), err
	}
	return nil, errors.New("there is no room")
}

// A click on the server's panel, a window from the client.
func TestLocalApps(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LOCAL_APPS=True", `LOCAL_APPS_WHITELIST="xterm sh gone"`, "SOUND_DAEMON=pulseaudio")
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")

	// The server's window manager takes the client's window.
	s.askByProperty(`xterm -T "a 'b' c"`)
	s.waitWindow(`"a 'b' c": ("xterm" "XTerm")`)
	settle(t, "the window is managed", func() bool {
		out, _ := s.inDesktop("sh", "-c", `for w in $(xprop -root _NET_CLIENT_LIST | sed "s/.*#//; s/,//g"); do xprop -id $w WM_NAME WM_CLIENT_MACHINE; done`)
		return strings.Contains(out, `"a 'b' c"`) && strings.Contains(out, `"client"`)
	})
	if n := len(running(t, s.Server, named("xterm"))); n != 0 {
		t.Errorf("%d terminals run on the server", n)
	}

	for _, tt := range []struct {
		status int
		says   string
		argv   []string
	}{
		{0, "", []string{"--wait", "sh", "-c", "exit 0"}},
		{3, "", []string{"--wait", "sh", "-c", "exit 3"}},
		{137, "", []string{"--wait", "sh", "-c", "kill -9 $$"}},
		{0, "", []string{"sh", "-c", "exit 3"}},
		{126, `This client does not allow "id"`, []string{"id"}},
		{126, `does not allow`, []string{"--wait", "/usr/bin/env", "sh"}},
		{2, "special characters", []string{"sh ;id"}},
		{127, `There is no program "gone"`, []string{"gone"}},
	} {
		out, status := s.inDesktop(append([]string{"ltsp-localapps"}, tt.argv...)...)
		if status != tt.status || !strings.Contains(out, tt.says) {
			t.Errorf("%q: status %d, %s", tt.argv, status, out)
		}
	}
	s.log.wait(t, 0, "a program was refused")
	s.programHas()
	s.clipboardIsShared()
	s.programsEnd()
}

// programHas checks what a program finds on the client.
func (s *station) programHas() {
	s.t.Helper()
	t := s.t
	const script = `exec >$HOME/found 2>&1; id -u; id -un; id -Gn; echo ~; pwd; cat /proc/self/comm >/dev/null; echo $LTSP_CLIENT$DESKTOP_STARTUP_ID; hostname
		dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId | wc -w
		pactl info | grep "Server Name"; xprop -root _NET_SUPPORTING_WM_CHECK | wc -l; stat -c %a $XAUTHORITY; ls /tmp`
	if out, status := s.inDesktop("env", "DESKTOP_STARTUP_ID=panel_TIME7", "ltsp-localapps", "--wait", "sh", "-c", script); status != 0 {
		t.Errorf("status %d: %s", status, out)
	}
	found, err := s.Server.ReadFile("/home/anna/found")
	s.must(err)
	want := "30000\nanna\nanna audio video render\n/home/anna\n/home/anna\npanel_TIME7\nclient\n1\nServer Name: pulseaudio\n1\n400\n"
	if got := string(found); got != want {
		t.Errorf("a program finds\n%s\nnot\n%s", got, want)
	}
	info, err := s.Server.Stat("/home/anna/found")
	s.must(err)
	if got := info.Mode().Perm(); got != 0o644 {
		t.Errorf("its file has mode %o", got)
	}
}

// clipboardIsShared copies on one machine and pastes on the other, both ways.
func (s *station) clipboardIsShared() {
	s.t.Helper()
	const put, get = "echo from $(hostname) | xclip -i -selection clipboard", "xclip -o -selection clipboard"
	if out, status := s.inDesktop("ltsp-localapps", "--wait", "sh", "-c", put); status != 0 {
		s.t.Error(out)
	}
	if out, _ := s.inDesktop("sh", "-c", get); out != "from client\n" {
		s.t.Errorf("the server pastes %q", out)
	}
	if out, status := s.inDesktop("sh", "-c", put+" >/dev/null 2>&1 &"); status != 0 { // it stays, and would hold our end
		s.t.Error(out)
	}
	settle(s.t, "the client pastes what the server copied", func() bool {
		s.inDesktop("ltsp-localapps", "--wait", "sh", "-c", get+" >$HOME/pasted")
		text, err := s.Server.ReadFile("/home/anna/pasted")
		return err == nil && string(text) == "from server\n"
	})
}

// programsEnd checks that nothing outlives the session.
func (s *station) programsEnd() {
	s.t.Helper()
	t := s.t
	out, status := s.inDesktop("ltsp-localapps", "sh", "-c", `setsid sh -c 'sleep 1001 & exec sleep 1002' & trap "" TERM; setsid sh -c 'trap "" TERM HUP; sleep 1003; sleep 1004' & sleep 1005; sleep 1006`)
	if status != 0 {
		t.Fatal(out)
	}
	settle(t, "programs run", func() bool { return len(s.onClient("sleep")) == 4 })
	x, mark := s.xServer(), s.log.mark()
	s.logOut()
	s.backAtLogin(mark, x)
	s.noSoundLeft(firstLocal)
}

// Two hundred requests at once, old and new, each run once.
func TestLocalAppsStorm(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LOCAL_APPS=True", "SOUND=False")
	s.must(s.Client.WriteFile("/usr/local/bin/note", []byte("#!/bin/sh\necho $1 >>/tmp/notes\n"), 0o755))
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	const senders, each = 4, 50
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			script := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do ltsp-localapps note %d-$i & i=$((i+1)); done; wait`, each, sender)
			if out, err := s.as("sh", "-c", script); err != nil {
				t.Errorf("%v %s", err, out)
			}
		})
	}
	const old = 10 // one after the other: the old way has room for one
	for i := range old {
		s.askByProperty(fmt.Sprintf("note old-%d", i))
		settle(t, "the request was taken", func() bool {
			out, err := s.as("xprop", "-root", "LTSP_COMMAND")
			return err == nil && !strings.Contains(out, "note")
		})
	}
	all.Wait()
	var notes []string
	settle(t, "all have run", func() bool {
		text, err := s.roomFile("/tmp/notes")
		notes = strings.Fields(string(text))
		return err == nil && len(notes) >= senders*each+old
	})
	slices.Sort(notes)
	if once := slices.Compact(slices.Clone(notes)); len(notes) != senders*each+old || len(once) != len(notes) {
		t.Errorf("%d ran, %d of them once", len(notes), len(once))
	}
}

// Whatever a worker says, it gets what the policy allows, as the login's own user.
func TestHostileWorker(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "LOCAL_APPS=True", `LOCAL_APPS_WHITELIST="sh sleep"`, "SOUND=False")
	s.start()
	w := s.fakeLogin("anna")
	s.must(w.sendRaw([]byte(`{"type":"run","id":1,"args":["sh","-c","id -u >/tmp/who; env >>/tmp/who"],"uid":0,"gid":0,"user":"root","groups":[0],"env":["LD_PRELOAD=x"],"dir":"/root"}`)))
	for {
		if r := hear[*wire.Ran](w); r.State != wire.Running {
			break
		}
	}
	if who, err := s.roomFile("/tmp/who"); err != nil || !strings.HasPrefix(string(who), "30000\n") || strings.Contains(string(who), "LD_PRELOAD") {
		t.Errorf("%s, %v", who, err)
	}
	for id, args := range [][]string{
		nil, {""}, {"id"}, {"/bin/su"}, {"../bin/sh"}, {"sh\x00"}, {"sh", "-c", "a\x00b"}, {"sh", strings.Repeat("x", 40<<10)}, slices.Repeat([]string{"sh"}, 12<<10),
		{"/proc/1/root/bin/id"}, {"/proc/self/exe"},
	} {
		if r := w.run(uint32(100+id), args...); r.State != wire.Denied {
			t.Errorf("%.40q: %+v", args, r)
		}
	}
	// More than there is room for: each has an answer, and the next login works.
	const asked = 1000
	last := make(map[uint32]string)
	for id := range uint32(asked) {
		w.send(&wire.Run{ID: 1000 + id, Args: []string{"sleep", "1000"}})
		w.send(&wire.Run{ID: 1000 + id, Args: []string{"sleep", "1000"}})
	}
	for len(last) < asked {
		r := hear[*wire.Ran](w)
		last[r.ID] = r.State
	}
	if n := len(s.onClient("sleep")); n > 64 {
		t.Errorf("%d programs run", n)
	}
	mark := s.log.mark()
	s.must(w.sendRaw([]byte(strings.Repeat("x", 100<<10)))) // no packet of ldm's
	s.log.wait(t, mark, greeterUp)
	if left := running(t, s.Client, local); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if n := strings.Count(s.log.String(), "\n"); n > 3000 {
		t.Errorf("the log has %d lines", n)
	}
	again := s.fakeLogin("anna")
	if r := again.run(1, "sh", "-c", "exit 7"); r.State != wire.Exited || r.Status != 7 {
		t.Errorf("got %+v", r)
	}
}

// Whatever the login is called, its programs have a user that the machine knows.
func TestLocalAppsOfOddNames(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.must(s.Client.AddUser(t.Context(), "bert", password)) // the name is taken
	s.configure(xvfb, "LOCAL_APPS=True", "SOUND=False")
	s.start()
	for i, tt := range []struct{ login, want string }{
		{"anna", "anna"}, {`SCHOOL\anna`, "user30001"}, {"12345", "user30002"}, {"bert", "user30003"}, {"ännä b", "user30004"}, {"user30006", "user30005"},
	} {
		uid := strconv.Itoa(firstLocal + i)
		w := s.fakeLogin(tt.login)
		said := path.Join("/tmp", uid)
		if r := w.run(1, "sh", "-c", "(id -u; id -un; id -gn; echo $USER $LOGNAME $HOME; getent passwd $USER) >"+said); r.State != wire.Exited || r.Status != 0 {
			t.Errorf("%s: %+v", tt.login, r)
		}
		want := strings.NewReplacer("UID", uid, "NAME", tt.want).Replace("UID\nNAME\nNAME\nNAME NAME /home/anna\nNAME:x:UID:UID:NAME:/home/anna:/bin/sh\n")
		if got, err := s.roomFile(said); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", tt.login, got, err)
		}
		mark := s.log.mark()
		w.send(&wire.Ended{})
		s.log.wait(t, mark, greeterUp)
		w.close()
	}
}

// A client on which there is no place for a user says so, and the next program has one.
func TestLocalAppsWithoutRoom(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "LOCAL_APPS=True", "SOUND=False")
	_, err := s.Client.Output(t.Context(), "sh", "-c", "mkdir -p /run/userdb && mount -t tmpfs -o size=4k,nr_inodes=3 none /run/userdb")
	s.must(err)
	s.start()
	w := s.fakeLogin("anna")
	for id := range uint32(2) {
		if r := w.run(id, "true"); r.State != wire.Faulty || r.Reason == "" {
			t.Errorf("got %+v", r)
		}
	}
	_, err = s.Client.Output(t.Context(), "umount", "/run/userdb")
	s.must(err)
	if r := w.run(2, "true"); r.State != wire.Exited || r.Status != 0 {
		t.Errorf("got %+v", r)
	}
	mark := s.log.mark()
	w.send(&wire.Ended{})
	s.log.wait(t, mark, greeterUp)
	s.noSoundLeft(firstLocal)
}

// A killed ldm takes the programs with it.
func TestKilledDaemonEndsLocalApps(t *testing.T) {
	s := newStation(t, fakeWorkers(t))
	s.configure(xvfb, "LOCAL_APPS=True", "SOUND=False")
	s.start()
	w := s.fakeLogin("anna")
	w.send(&wire.Run{ID: 1, Args: []string{"sh", "-c", `setsid sh -c 'trap "" TERM HUP; sleep 1001; sleep 1002' & trap "" TERM; sleep 1003; sleep 1004`}})
	settle(t, "the program runs", func() bool { return len(s.onClient("sleep")) == 2 })
	s.must(s.ldm.Process.Kill())
	s.ldm.Wait()
	settle(t, "nothing runs on the client", func() bool { return len(running(t, s.Client, everything)) == 0 })
	s.start()
	s.noSoundLeft(firstLocal)
}

// login1 is a logind that remembers what it was asked for.
type login1 struct{ calls chan string }

func (l *login1) PowerOff(bool) *dbus.Error { l.calls <- "PowerOff"; return nil }
func (l *login1) Reboot(bool) *dbus.Error   { l.calls <- "Reboot"; return nil }

// startLogin1 starts the client's system bus, and a logind on it.
func (s *station) startLogin1() *login1 {
	s.t.Helper()
	s.must(s.Client.WriteFile("/etc/dbus-1/system.d/login1.conf", []byte(`<busconfig><policy user="root">
		<allow own="org.freedesktop.login1"/><allow send_destination="org.freedesktop.login1"/></policy></busconfig>`), 0o644))
	_, err := s.Client.Output(s.t.Context(), "install", "-d", "-o", "messagebus", "/run/dbus")
	s.must(err)
	daemon := s.Client.Command(s.t.Context(), "root", "dbus-daemon", "--system", "--nofork", "--nopidfile")
	s.must(daemon.Start())
	var bus *dbus.Conn
	settle(s.t, "there is a system bus", func() bool {
		conn, err := s.Client.Dial(s.t.Context(), "unix", "/run/dbus/system_bus_socket")
		if err != nil {
			return false
		}
		bus, err = dbus.NewConn(conn)
		return err == nil
	})
	s.t.Cleanup(func() { bus.Close() })
	s.must(bus.Auth([]dbus.Auth{dbus.AuthExternal("0")}))
	s.must(bus.Hello())
	l := &login1{calls: make(chan string, 10)}
	s.must(bus.Export(l, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"))
	_, err = bus.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue)
	s.must(err)
	return l
}

// What a session wants at its end comes when it has ended, if the client allows it.
func TestLogoutAction(t *testing.T) {
	s := newStation(t)
	logind := s.startLogin1()
	for _, tt := range []struct{ allowed, property, want string }{
		{"halt reboot", "HALT", "PowerOff"},
		{"reboot", "HALT", ""},
		{"reboot", "REBOOT", "Reboot"},
	} {
		s.configure(xvfb, "SOUND=False", "LOCAL_APPS=True", "LDM_LOGOUT_ACTION='"+tt.allowed+"'")
		s.start()
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		_, err := s.as("xprop", "-root", "-f", "LTSP_LOGOUT_ACTION", "8s", "-set", "LTSP_LOGOUT_ACTION", tt.property)
		s.must(err)
		x, mark := s.xServer(), s.log.mark()
		s.logOut()
		s.backAtLogin(mark, x)
		got := ""
		if tt.want != "" {
			got = <-logind.calls
		}
		if got != tt.want || len(logind.calls) != 0 {
			t.Errorf("%+v: logind was asked for %q", tt, got)
		}
		s.stop()
	}
}
