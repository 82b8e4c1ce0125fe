package e2e

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"goldm/internal/testbed"
)

// firstLocal is the number of a client's first local user.
const firstLocal = 30000

func local(p testbed.Process) bool { return p.UID >= firstLocal && p.UID < 65534 && p.State != "Z" }

// ofSession returns what runs on the client for the session's local user.
func (s *station) ofSession() map[string]testbed.Process {
	s.t.Helper()
	found := make(map[string]testbed.Process)
	for _, p := range running(s.t, s.Client, local) {
		found[p.Program()] = p
	}
	return found
}

// soundFile is the path of a file of the local user's sound.
func soundFile(uid int, name string) string {
	return path.Join("/run/ldm/seat0", strconv.Itoa(uid), name)
}

// cookieFor copies the sound daemon's cookie for a user, who could not read it.
func (s *station) cookieFor(user string, uid int) string {
	s.t.Helper()
	copied := "/tmp/cookie-" + user
	_, err := s.Client.Output(s.t.Context(), "install", "-m", "400", "-o", user, soundFile(uid, "cookie"), copied)
	s.must(err)
	return copied
}

// pactl talks to the session's sound daemon as a user of the client.
func (s *station) pactl(user, cookie string, uid int, args ...string) (string, error) {
	s.t.Helper()
	c := s.Client.Command(s.t.Context(), user, append([]string{"timeout", "10", "pactl"}, args...)...)
	c.Env = append(c.Env, "PULSE_SERVER=unix:"+soundFile(uid, "native"), "PULSE_COOKIE="+cookie, "HOME=/tmp", "XDG_RUNTIME_DIR=/tmp")
	out, err := c.CombinedOutput()
	return string(out), err
}

// waitSound waits until the daemon answers the worker's user.
func (s *station) waitSound(cookie string, uid int) {
	s.t.Helper()
	settle(s.t, "the sound daemon has a sink", func() bool {
		out, err := s.pactl("_ldm-session", cookie, uid, "list", "short", "sinks")
		return err == nil && strings.Contains(out, "null")
	})
}

// noSoundLeft fails unless all that a session had on the client is gone.
func (s *station) noSoundLeft(uid int) {
	s.t.Helper()
	if left := running(s.t, s.Client, local); len(left) != 0 {
		s.t.Errorf("left: %v", left)
	}
	if _, err := s.Client.Stat(soundFile(uid, "")); err == nil {
		s.t.Errorf("%s is left", soundFile(uid, ""))
	}
	if left, err := s.Client.ReadDir("/run/userdb"); err != nil || len(left) != 0 {
		s.t.Errorf("records left: %v, %v", left, err)
	}
	if mounts, err := s.Client.Mounts(); err != nil || strings.Contains(mounts, "/run/user") || strings.Contains(mounts, "/dev/snd") {
		s.t.Errorf("mounts left: %s, %v", mounts, err)
	}
}

// A session has a sound daemon of its own: who it is, who reaches it, and that
// nothing of it is left.
func TestSoundDaemonOfASession(t *testing.T) {
	pipewire := []string{"pipewire", "pipewire-pulse", "wireplumber"}
	for name, tt := range map[string]struct {
		suite, daemon string
		programs      []string
	}{
		"pulseaudio": {"bookworm", "pulseaudio", []string{"pulseaudio"}},
		"pipewire":   {"bookworm", "pipewire", pipewire},
		"pipewire 1": {"trixie", "auto", pipewire}, // and WirePlumber 0.5
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, func(c *testbed.Config) { c.Suite = tt.suite })
			s.configure(xvfb, "SOUND_DAEMON="+tt.daemon, "VOLUME=50")
			s.start()
			for _, uid := range []int{firstLocal, firstLocal + 1} { // one login after the other
				x := s.xServer()
				s.login("anna", password, "icewm-session")
				s.soundRuns(uid, tt.programs)
				s.soundIsPrivate(uid, tt.daemon == "pulseaudio")
				s.soundIsTheSessions()
				s.soundComesBack(uid, tt.programs)
				s.soundIsTheSessions()
				mark := s.log.mark()
				s.logOut()
				s.backAtLogin(mark, x)
				s.noSoundLeft(uid)
			}
		})
	}
}

// soundRuns checks whom the daemon runs as, and that it is fenced in.
func (s *station) soundRuns(uid int, programs []string) {
	s.t.Helper()
	var found map[string]testbed.Process
	settle(s.t, "the daemon's programs run", func() bool {
		found = s.ofSession()
		return !slices.ContainsFunc(programs, func(name string) bool { _, ok := found[name]; return !ok })
	})
	out, err := s.Client.Output(s.t.Context(), "getent", "passwd", "anna", strconv.Itoa(uid))
	want := strings.Repeat("anna:x:UID:UID:anna:/run/user/UID:/bin/sh\n", 2)
	if err != nil || out != strings.ReplaceAll(want, "UID", strconv.Itoa(uid)) {
		s.t.Errorf("the local user is %q, %v", out, err)
	}
	if out, err := s.Client.Output(s.t.Context(), "id", "anna"); err != nil || strings.Count(out, strconv.Itoa(uid)+"(anna)") != 3 {
		s.t.Errorf("id says %q, %v", out, err)
	}
	for _, name := range programs {
		p := found[name]
		status, err := s.Client.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
		s.must(err)
		for _, line := range []string{"NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "Groups:\t29 \n"} {
			if p.UID != uid || !strings.Contains(string(status), line) {
				s.t.Errorf("%v has no %q", p, line)
			}
		}
		for _, kind := range []string{"pid", "ipc", "mnt"} {
			if s.namespace(p, kind) == s.namespace(s.daemon(), kind) || s.namespace(p, kind) != s.namespace(found[programs[0]], kind) {
				s.t.Errorf("%v: %s namespace", p, kind)
			}
		}
		watches := name == "wireplumber" || name == "pulseaudio" // for sound cards: udev's events are the network's
		if watches != (s.namespace(p, "net") == s.namespace(s.daemon(), "net")) {
			s.t.Errorf("%v sees the network, or should and does not", p)
		}
	}
}

func (s *station) namespace(p testbed.Process, kind string) string {
	s.t.Helper()
	out, err := s.Client.Output(s.t.Context(), "readlink", "/proc/"+strconv.Itoa(p.PID)+"/ns/"+kind)
	s.must(err)
	return out
}

// soundIsPrivate checks who reaches the daemon, and what they may do there.
func (s *station) soundIsPrivate(uid int, checksCookie bool) {
	s.t.Helper()
	t := s.t
	for who, may := range map[int]bool{s.session: true, uid: true, s.greeter: false, uid + 1: false, 65534: false} {
		conn, err := s.Client.DialAs(t.Context(), who, who, "unix", soundFile(uid, "native"))
		if may != (err == nil) {
			t.Errorf("user %d: %v", who, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	for _, user := range []string{"_ldm-session", "_ldm-greeter"} {
		if _, err := s.Client.Command(t.Context(), user, "cat", soundFile(uid, "cookie")).Output(); err == nil {
			t.Errorf("%s reads the cookie", user)
		}
	}
	cookie := s.cookieFor("_ldm-session", uid)
	s.waitSound(cookie, uid)
	secret, err := s.Client.ReadFile(cookie)
	s.must(err)
	s.noProcessShows(s.Client, "the sound's cookie", string(secret))
	if checksCookie { // PipeWire does not: the worker does
		if out, err := s.pactl("_ldm-session", "/dev/null", uid, "info"); err == nil {
			t.Errorf("without a cookie: %s", out)
		}
		if out, err := s.pactl("_ldm-session", cookie, uid, "get-sink-volume", "@DEFAULT_SINK@"); err != nil || !strings.Contains(out, " 50% ") {
			t.Errorf("volume: %s, %v", out, err)
		}
	}
	// PipeWire loads it, and then it listens where there is no network.
	s.pactl("_ldm-session", cookie, uid, "load-module", "module-native-protocol-tcp", "port=4713")
	s.listensNowhere()
}

// soundIsTheSessions checks that a program of the desktop finds the client's
// daemon, by its environment alone.
func (s *station) soundIsTheSessions() {
	s.t.Helper()
	s.waitWindow("icewm")
	settle(s.t, "the desktop has the client's sound", func() bool {
		out, err := s.as("timeout", "10", "pactl", "info")
		return err == nil && strings.Contains(out, "Host Name: client\n")
	})
}

// soundComesBack kills each program of the daemon.
func (s *station) soundComesBack(uid int, programs []string) {
	s.t.Helper()
	before, err := s.Client.Stat(soundFile(uid, "native"))
	s.must(err)
	cookie := s.cookieFor("_ldm-session", uid)
	for _, name := range programs {
		s.kill(name)
		s.waitSound(cookie, uid)
	}
	after, err := s.Client.Stat(soundFile(uid, "native"))
	if err != nil || !os.SameFile(before, after) {
		s.t.Errorf("the socket is another: %v", err)
	}
}

// Sound is nothing that a login waits for.
func TestSoundThatCannotBe(t *testing.T) {
	for name, broken := range map[string]struct{ script, says string }{
		"not installed": {`rm /usr/bin/pulseaudio /usr/bin/pipewire-pulse`, "not installed: pipewire-pulse, pulseaudio"},
		"broken":        {`rm /usr/bin/pipewire-pulse; ln -sf /bin/false /usr/bin/pulseaudio`, "there is no sound for the rest of the session"},
		"no numbers":    {`mkdir -m 711 /run/ldm; echo 39999 > /run/ldm/last-uid`, "were used since the last boot"},
		"no records":    {`mkdir /run/userdb; mount -t tmpfs -o ro none /run/userdb`, "read-only file system"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t)
			_, err := s.Client.Output(t.Context(), "sh", "-c", broken.script)
			s.must(err)
			s.configure(xvfb)
			s.start()
			mark := s.log.mark()
			s.login("anna", password, "icewm-session")
			s.waitWindow("icewm")
			s.log.wait(t, mark, broken.says)
			x := s.xServer()
			mark = s.log.mark()
			s.logOut()
			s.backAtLogin(mark, x)
			if left := running(t, s.Client, local); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A killed ldm takes the sound daemon with it; the next one clears the rest away
// and gives the number to nobody.
func TestKilledDaemonLeavesNoLocalUser(t *testing.T) {
	s := newStation(t)
	s.must(s.Client.AddUser(t.Context(), "anna", password)) // the name is taken
	s.configure(xvfb)
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitSound(s.cookieFor("_ldm-session", firstLocal), firstLocal)
	if out, err := s.Client.Output(t.Context(), "id", "-nu", strconv.Itoa(firstLocal)); err != nil || out != "user30000\n" {
		t.Errorf("the local user is %q, %v", out, err)
	}
	s.ldm.Process.Kill()
	s.ldm.Wait()
	settle(t, "nothing runs on the client", func() bool { return len(running(t, s.Client, everything)) == 0 })
	s.start()
	s.noSoundLeft(firstLocal)
	s.login("anna", password, "icewm-session")
	s.waitSound(s.cookieFor("_ldm-session", firstLocal+1), firstLocal+1)
	s.must(s.ldm.Process.Signal(syscall.SIGTERM))
	s.ldm.Wait()
	s.noSoundLeft(firstLocal + 1)
}

// Without a microphone the session has no device that records, and no group that
// would open one.
func TestNoMicrophone(t *testing.T) {
	s := newStation(t)
	_, err := s.Client.Output(t.Context(), "sh", "-c", `mkdir /dev/snd && cd /dev/snd && umask 7 &&
		mknod controlC0 c 116 0 && mknod pcmC0D0c c 116 24 && mknod pcmC0D0p c 116 16 && mknod timer c 116 33 && mknod seq c 116 1 &&
		chgrp audio *`)
	s.must(err)
	for mic, want := range map[string]string{
		"True":  "29: controlC0 pcmC0D0c pcmC0D0p seq timer",
		"False": ": controlC0 pcmC0D0p timer",
	} {
		s.configure(xvfb, "MIC="+mic, "SOUND_DAEMON=pulseaudio")
		s.start()
		s.login("anna", password, "icewm-session")
		var daemon testbed.Process
		settle(t, "the daemon runs", func() (ok bool) { daemon, ok = s.ofSession()["pulseaudio"]; return ok })
		pid := strconv.Itoa(daemon.PID)
		out, err := s.Client.Output(t.Context(), "sh", "-c", "grep Groups: /proc/"+pid+"/status; ls /proc/"+pid+"/root/dev/snd")
		s.must(err)
		groups, names, _ := strings.Cut(strings.TrimPrefix(out, "Groups:"), "\n")
		if got := strings.TrimSpace(groups) + ": " + strings.Join(strings.Fields(names), " "); got != want {
			t.Errorf("MIC=%s: got %q, want %q", mic, got, want)
		}
		s.stop()
	}
}
