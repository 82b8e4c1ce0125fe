package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
)

// withHome logs anna in at a client that runs programs; none has run yet.
func (s *station) withHome(settings ...string) {
	s.t.Helper()
	s.configure(append([]string{xvfb, "LOCAL_APPS=True", "SOUND=False"}, settings...)...)
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
}

// local runs a script on the client, in the session, and returns what it said and
// its status.
func (s *station) local(script string) (string, int) {
	s.t.Helper()
	said, status := s.inDesktop("ltsp-localapps", "--wait", "sh", "-c", "exec > said 2>&1; cd; "+script)
	if status != 0 {
		return said, status
	}
	text, err := s.Server.ReadFile("/home/anna/said")
	s.must(err)
	return string(text), 0
}

// asAnna runs a script on the server as anna, and fails unless that works.
func (s *station) asAnna(script string) string {
	s.t.Helper()
	out, err := s.Server.Command(s.t.Context(), "anna", "sh", "-c", script).Output()
	s.must(err)
	return string(out)
}

func (s *station) sshfs() []testbed.Process {
	s.t.Helper()
	return running(s.t, s.Client, func(p testbed.Process) bool { return p.Program() == "sshfs" && p.State != "Z" })
}

// A program on the client has the home that is on the server.
func TestHome(t *testing.T) {
	s := newStation(t)
	_, err := s.Server.Output(t.Context(), "sh", "-c", "mkdir /srv/share && chown anna /srv/share")
	s.must(err)
	s.withHome("LOCAL_APPS_EXTRAMOUNTS=/srv/share,/srv/none")
	if mounted := s.sshfs(); len(mounted) > 0 {
		t.Errorf("mounted before anybody wanted it: %v", mounted)
	}
	s.homeIsRefused()
	for _, tt := range []struct{ script, here, there, want string }{
		{`pwd; echo $HOME; stat -c %u .; echo hello > "grüße 日本 🙂"`, "/home/anna\n/home/anna\n30000\n", `stat -c %U grüße*; cat grüße*`, "anna\nhello\n"},
		{`ln -s said link; ln -s /home/anna/said absolute; readlink link; test -s absolute && echo there`, "said\nthere\n", `readlink absolute`, "/home/anna/said\n"},
		{`echo old > a; echo new > b; exec 3< a; mv b a; cat a; cat <&3`, "new\nold\n", `cat a; test -e b || echo gone`, "new\ngone\n"},
		{`mkdir work; cd work; exec 3> l; flock -n 3 && flock -n l true || echo locked; pwd`, "locked\n/home/anna/work\n", `stat -c %U work/l`, "anna\n"},
		{`mkdir new; exec 3> new/.parentlock && echo opened`, "opened\n", `ls -A new`, ".parentlock\n"}, // as a browser does with a new profile
		{`touch /srv/share/x; stat -c %u /srv/share/x; echo $XDG_CACHE_HOME; mkdir -p $XDG_CACHE_HOME/c && echo cached`, "30000\n/tmp/.cache\ncached\n", `stat -c %U /srv/share/x; ls -d /tmp/.cache 2> /dev/null || echo not here`, "anna\nnot here\n"},
	} {
		if got, status := s.local(tt.script); got != tt.here || status != 0 {
			t.Errorf("%s: on the client: %q, %d", tt.script, got, status)
		}
		if got := s.asAnna(tt.there); got != tt.want {
			t.Errorf("%s: on the server: %q", tt.script, got)
		}
	}
	if mounted := s.sshfs(); len(mounted) != 2 || mounted[0].UID != firstLocal {
		t.Errorf("sshfs: %v", mounted)
	}
	s.bigFile()
	s.profileIsLocked()
	s.homeComesBack()
	x, mark := s.xServer(), s.log.mark()
	s.logOut()
	s.backAtLogin(mark, x)
	s.noSoundLeft(firstLocal)
}

// homeIsRefused asks for a program while the home cannot be read. Who asks is told;
// the next one gets it.
func (s *station) homeIsRefused() {
	s.t.Helper()
	s.asAnna("chmod 300 .")
	said, status := s.inDesktop("ltsp-localapps", "--wait", "sh", "-c", "pwd")
	if status == 0 || !strings.Contains(said, "Your home directory on the server could not be opened") {
		s.t.Errorf("unreadable: %q, %d", said, status)
	}
	s.asAnna("chmod 755 .")
}

// bigFile carries a large file both ways.
func (s *station) bigFile() {
	s.t.Helper()
	const size = 64
	s.asAnna(fmt.Sprintf("head -c %dM /dev/urandom > big", size))
	want := s.asAnna("md5sum < big")
	for _, script := range []string{"md5sum < big", "cp big big2 && md5sum < big2"} {
		begun := time.Now()
		if got, status := s.local(script); got != want || status != 0 {
			s.t.Errorf("%s: %q, %d, not %q", script, got, status, want)
		}
		s.t.Logf("%s: %d MiB in %v", script, size, time.Since(begun).Round(time.Millisecond))
	}
	if got := s.asAnna("md5sum < big2; rm big big2"); got != want {
		s.t.Errorf("the copy on the server: %q, not %q", got, want)
	}
}

// profileIsLocked has a program here and one there want a browser's profile.
func (s *station) profileIsLocked() {
	s.t.Helper()
	t := s.t
	s.asAnna("mkdir profile; ln -s 127.0.1.1:+4711 profile/lock")
	const lock, hold = "profile/.parentlock", "/usr/local/bin/ltsp-server-agent hold profile/.parentlock"
	// The server's is first.
	first := s.Server.Command(t.Context(), "anna", "sh", "-c", "sleep 1000 | "+hold)
	out, err := first.StdoutPipe()
	s.must(err)
	s.must(first.Start())
	if line := make([]byte, len("ltsp-hold held\n")); true {
		if _, err := out.Read(line); err != nil || string(line) != "ltsp-hold held\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if got, _ := s.local("true > " + lock + " || echo refused; rm profile/lock || echo stays; ls profile"); !strings.Contains(got, "Permission denied") || !strings.Contains(got, "stays\nlock\n") {
		t.Errorf("the server's profile: %q", got)
	}
	s.killOnServer("sleep")
	first.Wait()
	// The client's is first, after as many tries as a refusal may count for.
	if said, status := s.inDesktop("ltsp-localapps", "sh", "-c", "cd; until true > "+lock+"; do sleep 0.2; done; exec 3> "+lock+" && rm profile/lock && touch profile/mine && exec sleep 1001"); status != 0 {
		t.Fatal(said)
	}
	settle(t, "the client has the profile", func() bool { _, err := s.Server.Stat("/home/anna/profile/mine"); return err == nil })
	if err := s.Server.Command(t.Context(), "anna", "sh", "-c", hold+" < /dev/null").Run(); err == nil || err.Error() != "exit status 75" {
		t.Errorf("the server takes the client's profile: %v", err)
	}
	s.kill("sleep")
	settle(t, "the server may have it", func() bool {
		return s.Server.Command(t.Context(), "anna", "sh", "-c", hold+" < /dev/null").Run() == nil
	})
}

// homeComesBack ends the home's server while a program uses it.
func (s *station) homeComesBack() {
	s.t.Helper()
	if said, status := s.inDesktop("ltsp-localapps", "sh", "-c", "cd; sleep 1002 > held"); status != 0 {
		s.t.Fatal(said)
	}
	settle(s.t, "a program uses it", func() bool { return len(s.onClient("sleep")) == 1 })
	mark := s.log.mark()
	s.killOnServer("sftp-server")
	s.log.wait(s.t, mark, "a folder of the server is lost")
	settle(s.t, "sshfs is gone", func() bool { return len(s.sshfs()) == 0 })
	if got, status := s.local("pwd; cat held; echo again > held; cat held"); got != "/home/anna\nagain\n" || status != 0 {
		s.t.Errorf("%q, %d", got, status)
	}
}

// A connection that is cut leaves no mount and no process, also of a program that
// waits for the server at that moment.
func TestHomeIsCutOff(t *testing.T) {
	s := newStation(t)
	s.withHome()
	if said, status := s.inDesktop("ltsp-localapps", "sh", "-c", "cd; while :; do echo x >> busy; cat busy > /dev/null; done"); status != 0 {
		t.Fatal(said)
	}
	settle(t, "the program works", func() bool { info, err := s.Server.Stat("/home/anna/busy"); return err == nil && info.Size() > 100 })
	x, mark := s.xServer(), s.log.mark()
	connections := running(t, s.Server, func(p testbed.Process) bool {
		return strings.Contains(strings.Join(p.Command, " "), "sshd: anna@")
	})
	if len(connections) != 1 {
		t.Fatalf("connections: %v", connections)
	}
	_, err := s.Server.Output(t.Context(), "kill", "-KILL", fmt.Sprint(connections[0].PID))
	s.must(err)
	s.backAtLogin(mark, x)
	s.noSoundLeft(firstLocal)
}

// What a server says the home is has to be a place for homes.
func TestHomeElsewhere(t *testing.T) {
	s := newStation(t)
	_, err := s.Server.Output(t.Context(), "usermod", "--move-home", "--home", "/usr/anna", "anna")
	s.must(err)
	s.withHome()
	said, status := s.inDesktop("ltsp-localapps", "--wait", "id")
	if status == 0 || !strings.Contains(said, `Your home directory on the server, "/usr/anna", cannot be used on this client`) {
		t.Errorf("%q, %d", said, status)
	}
	if _, err := s.Client.Stat("/usr/anna"); !os.IsNotExist(err) {
		t.Errorf("it is on the client: %v", err)
	}
}
