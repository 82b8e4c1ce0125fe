package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/test/tone"
)

// desktopByHand starts anna's desktop on carl's display, with the sound of his daemon. The
// returned function ends it.
func (s *station) desktopByHand(e *ears) (end func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	c := e.command(ctx, "ldm-session", "--session", "icewm-session", "anna@server")
	c.Stderr = s.log
	s.must(c.Start())
	s.waitTitle("TaskBar") // the last of the desktop: now it has its keys as well
	settle(s.t, "anna's desktop is there", func() bool { out, err := s.as("env"); return err == nil && strings.Contains(out, "LTSP_SOUND") })
	return func() {
		s.logOut()
		c.Wait()
		cancel()
	}
}

// plays fails unless the client's speaker plays a tone when a command runs in anna's
// desktop. A length of 0 is any.
func (s *station) plays(e *ears, hertz float64, length, gap time.Duration, argv ...string) {
	s.t.Helper()
	s.t.Log(argv)
	heard(s.t, hertz, length, gap, func() []int16 {
		return e.record(s.t, func() {
			if out, err := s.as(append([]string{"timeout", "-s", "INT", "20"}, argv...)...); err != nil {
				s.t.Errorf("%q: %v: %s", argv, err, out)
			}
		})
	})
}

// A server that runs PipeWire of its own, which has a dummy for a loudspeaker: the
// programs of a desktop reach the client nonetheless, whatever they speak.
func TestSoundOfAServerWithPipeWire(t *testing.T) {
	s := newStation(t, onServer("trixie"))
	const hertz, length = 440, 2 * time.Second
	e := s.byHandWithSound("pulseaudio", hertz, length)
	s.ownPipeWire()
	end := s.desktopByHand(e)
	mpv := []string{"mpv", "--no-config", "--no-video", "--really-quiet", "tone.wav"}
	for _, argv := range [][]string{{"paplay", "tone.wav"}, {"aplay", "-q", "tone.wav"}, append(mpv, "--ao=alsa"), append(mpv, "--ao=pulse")} {
		s.plays(e, hertz, length, 0, argv...)
	}
	s.plays(e, 600, 0, 0, "sh", "-c", "timeout -s INT 3 speaker-test -t sine -f 600 -c 2 >/dev/null || [ $? = 124 ]")
	for _, argv := range [][]string{{"pw-play", "tone.wav"}, mpv, append(mpv, "--ao=pipewire"), {"aplay", "-q", "-D", "pipewire", "tone.wav"}} {
		s.plays(e, hertz, length, settling, argv...)
	}
	end()
	settle(t, "nothing is left on the server", func() bool { return len(s.soundFolders("/run/anna")) == 0 })
	if left := running(t, s.Server, func(p testbed.Process) bool {
		return p.UID == s.serverUID("anna") && strings.Contains(strings.Join(p.Command, " "), "ltsp-sound-")
	}); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
}

// PipeWire's tunnel takes a second or two to find its rate.
const settling = 150 * time.Millisecond

// The program for which a session's PipeWire is started has its sound from beginning to end.
func TestSoundOfTheFirstProgram(t *testing.T) {
	s := newStation(t, onServer("trixie"))
	const hertz, length = 440, 2 * time.Second
	e := s.byHandWithSound("pulseaudio", hertz, length)
	for _, argv := range [][]string{
		{"pw-play", "tone.wav"},
		{"mpv", "--no-config", "--no-video", "--really-quiet", "--ao=pipewire", "tone.wav"}, // wants to see a loudspeaker
		{"aplay", "-q", "-D", "pipewire", "tone.wav"},
	} {
		t.Log(argv)
		heard(t, hertz, length, settling, func() []int16 {
			end := s.desktopByHand(e)
			defer end()
			return e.record(t, func() {
				if out, err := s.as(append([]string{"timeout", "-s", "INT", "60"}, argv...)...); err != nil {
					t.Errorf("%q: %v: %s", argv, err, out)
				}
			})
		})
	}
}

// A program that speaks PipeWire while the client's daemon does not answer, or is gone, waits
// for it without an error; so it does while a tunnel that crashed is dug anew.
func TestSoundThatIsLate(t *testing.T) {
	s := newStation(t, onServer("trixie"))
	const hertz, length = 440, 2 * time.Second
	e := s.byHandWithSound("pulseaudio", hertz, length)
	signal := func(name string) {
		daemon := running(t, s.Client, named("pulseaudio"))[0]
		_, err := s.Client.Output(t.Context(), "kill", "-"+name, fmt.Sprint(daemon.PID))
		s.must(err)
	}
	heard(t, hertz, length, settling, func() []int16 {
		end := s.desktopByHand(e)
		defer end()
		return e.record(t, func() {
			signal("STOP")
			ended := s.playsWithout()
			signal("CONT")
			ended()
		})
	})

	end := s.desktopByHand(e)
	defer end()
	for range 2 { // when PipeWire is new, and when it had a loudspeaker
		signal("KILL")
		ended := s.playsWithout()
		_, err := s.Client.Output(t.Context(), "rm", "-rf", "/run/carl")
		s.must(err)
		e = s.listen("pulseaudio")
		ended()
		// Of the first seconds after that the tunnel may lose some.
		s.plays(e, hertz, 0, settling, "pw-play", "tone.wav")
	}

	tunnels := running(t, s.Server, func(p testbed.Process) bool {
		return p.Program() == "pipewire" && strings.Contains(strings.Join(p.Command, " "), "tunnels.conf")
	})
	if len(tunnels) != 1 {
		t.Fatalf("tunnels: %v", tunnels)
	}
	_, err := s.Server.Output(t.Context(), "kill", "-SEGV", fmt.Sprint(tunnels[0].PID))
	s.must(err)
	s.plays(e, hertz, length, settling, "pw-play", "tone.wav")
}

// playsWithout has pw-play wait for a loudspeaker in anna's desktop. The returned function waits
// until it has played, which it has to do well.
func (s *station) playsWithout() (ended func()) {
	s.t.Helper()
	_, err := s.as("sh", "-c", "rm -f said ended; setsid sh -c 'pw-play tone.wav; echo $? >ended' >said 2>&1 &")
	s.must(err)
	settle(s.t, "pw-play has a stream", func() bool {
		out, err := s.as("timeout", "20", "pw-cli", "ls", "Node")
		return err == nil && strings.Contains(out, `"pw-play"`)
	})
	file := func(name string) string {
		text, _ := s.Server.ReadFile("/home/anna/" + name)
		return string(text)
	}
	if said, status := file("said"), file("ended"); said+status != "" {
		s.t.Fatalf("pw-play did not wait: %s: %s", status, said)
	}
	return func() {
		s.t.Helper()
		settle(s.t, "pw-play ends", func() bool { return file("ended") != "" })
		if said, status := file("said"), file("ended"); status != "0\n" {
			s.t.Errorf("pw-play: %s: %s", status, said)
		}
	}
}

// ownPipeWire gives anna a runtime directory on the server and a PipeWire there, as logind and
// her systemd would.
func (s *station) ownPipeWire() {
	s.t.Helper()
	ctx := s.t.Context()
	_, err := s.Server.Output(ctx, "sh", "-c", "install -d -m 700 -o anna /run/anna && mkdir -p /run/systemd/seats /run/systemd/sessions /run/systemd/users /run/systemd/machines"+
		" && echo XDG_RUNTIME_DIR=/run/anna >>/etc/environment")
	s.must(err)
	c := s.Server.Command(ctx, "anna", "dbus-run-session", "--", "sh", "-c", startPipeWire)
	c.Env = append(c.Env, "XDG_RUNTIME_DIR=/run/anna")
	s.must(c.Start())
	settle(s.t, "the server's own PipeWire is there", func() bool {
		_, err := s.Server.Stat("/run/anna/pulse/native")
		return err == nil
	})
}

// Without the agent, and when the connection is lost, nothing is left on the server either.
func TestSoundLeavesNothing(t *testing.T) {
	t.Run("agent", func(t *testing.T) { soundLeavesNothing(t) })
	t.Run("plain", func(t *testing.T) { soundLeavesNothing(t, plain) })
}

func soundLeavesNothing(t *testing.T, options ...option) {
	s := newStation(t, options...)
	e := s.byHandWithSound("pulseaudio", 440, time.Second)
	for how, end := range map[string]func(*testbed.Cmd){
		"logged out": func(*testbed.Cmd) { s.logOut() },
		"killed":     func(c *testbed.Cmd) { c.Process.Kill() },
		"cut off":    func(*testbed.Cmd) { s.Server.Output(t.Context(), "pkill", "-KILL", "-u", "anna", "sshd") },
	} {
		c := e.command(t.Context(), "ldm-session", "--session", "icewm-session", "anna@server")
		c.Stderr = s.log
		s.must(c.Start())
		s.waitTitle("icewm")
		folders := s.soundFolders("/tmp")
		if len(folders) != 1 {
			t.Fatalf("%s: folders %v", how, folders)
		}
		out, err := s.as("timeout", "10", "pactl", "info")
		if err != nil || !strings.Contains(out, "Default Sink: "+speaker) {
			t.Errorf("%s: %v: %s", how, err, out)
		}
		end(c)
		c.Wait()
		settle(t, how+": nothing is left", func() bool { return len(s.soundFolders("/tmp")) == 0 })
		s.Server.Output(t.Context(), "pkill", "-KILL", "-u", "anna") // what the plain way leaves
		settle(t, how+": anna's processes are gone", func() bool { return len(s.anna()) == 0 })
	}
}

// A user who is logged in from two clients hears in each what is played in it.
func TestSoundOfTwoSessions(t *testing.T) {
	s := newStation(t)
	e := s.byHandWithSound("pulseaudio", 440, 2*time.Second)
	s.must(s.Client.AddUser(t.Context(), "dora", "unused"))
	other := s.listenAs("dora", "pulseaudio", "/run/dora")
	_, err := s.Client.Output(t.Context(), "sh", "-c",
		"cp -r /home/carl/.ssh /home/dora/ && chown -R dora: /home/dora/.ssh")
	s.must(err)
	low, high := tone.Make(440, time.Second), tone.Make(600, time.Second)
	play := func(e *ears, samples []int16) *testbed.Cmd {
		c := e.remote(t.Context(), append([]string{"paplay"}, rawTone...)...)
		c.Stdin = bytes.NewReader(tone.WAV(samples)[44:])
		return c
	}
	var recording []int16
	both := func() {
		c, d := play(e, low), play(other, high)
		s.must(c.Start())
		s.must(d.Start())
		c.Wait()
		d.Wait()
	}
	here := e.record(t, func() { recording = other.record(t, both) })
	for _, tt := range []struct {
		recording []int16
		own, not  float64
	}{{here, 440, 600}, {recording, 600, 440}} {
		if found, ok := tone.Find(tt.recording, tt.own); !ok {
			t.Errorf("own tone of %v Hz: %v", tt.own, found)
		}
		if found, ok := tone.Find(tt.recording, tt.not); ok {
			t.Errorf("the other's tone of %v Hz: %v", tt.not, found)
		}
	}
}

// A server that forwards no sockets, and a daemon that is gone, cost a line in the log.
func TestSoundRefused(t *testing.T) {
	s := newStation(t)
	e := s.byHandWithSound("pulseaudio", 440, time.Second)
	s.must(s.Server.WriteFile("/etc/ssh/sshd_config.d/10-sound.conf", []byte("AllowStreamLocalForwarding no\n"), 0o644))
	mark := s.sshd.mark()
	_, err := s.Server.Output(t.Context(), "pkill", "-HUP", "-o", "-x", "sshd")
	s.must(err)
	said := func(e *ears) string {
		c := e.remote(t.Context(), "sh", "-c", "echo sound: $PULSE_SERVER")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "sound:\n") {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	s.sshd.wait(t, mark, "Server listening")
	if out := said(e); strings.Count(out, "WARN") != 1 || !strings.Contains(out, "AllowStreamLocalForwarding") {
		t.Errorf("said %s", out)
	}
	c := e.command(t.Context(), "ldm-session", "--session", "icewm-session", "anna@server")
	s.must(c.Start())
	s.waitTitle("icewm")
	if left := s.soundFolders("/tmp"); len(left) != 0 {
		t.Errorf("a desktop without sound has %v", left)
	}
	s.logOut()
	c.Wait()
	// A socket whose daemon is gone, in a folder that is carl's.
	stale := *e
	stale.env = []string{"XDG_RUNTIME_DIR=/run/stale", "DISPLAY=:7"}
	_, err = s.Client.Output(t.Context(), "sh", "-c", "install -d -o carl -m 700 /run/stale /run/stale/pulse && mknod /run/stale/pulse/native p && chown carl /run/stale/pulse/native")
	s.must(err)
	if out := said(&stale); strings.Count(out, "WARN") != 1 || !strings.Contains(out, "daemon") {
		t.Errorf("with a stale socket: %s", out)
	}
	if left := s.soundFolders("/tmp"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// From the login screen to the loudspeaker: the seat's own daemon plays what
// programs of the desktop play, with the agent and without it.
func TestSoundOfALogin(t *testing.T) {
	for _, daemon := range daemons {
		for way, options := range map[string][]option{"agent": nil, "plain": {plain}} {
			t.Run(daemon+" "+way, func(t *testing.T) {
				s := newStation(t, options...)
				s.putTone(440, 2*time.Second)
				s.configure(xvfb, "SOUND_DAEMON="+daemon)
				s.start()
				s.login("anna", password, "icewm-session")
				s.waitWindow("icewm")
				settle(t, "the seat's daemon has a sink", func() bool {
					out, err := s.as("timeout", "10", "pactl", "list", "short", "sinks")
					return err == nil && strings.Contains(out, "null")
				})
				e := &ears{machine: s.Client, user: "_ldm-session", monitor: "@DEFAULT_MONITOR@", env: []string{
					"PULSE_SERVER=unix:" + soundFile(firstLocal, "native"), "PULSE_COOKIE=" + s.cookieFor("_ldm-session", firstLocal), "HOME=/tmp",
				}}
				s.plays(e, 440, 2*time.Second, 0, "paplay", "tone.wav")
				s.plays(e, 440, 2*time.Second, 0, "aplay", "-q", "tone.wav")
				mark := s.log.mark()
				s.logOut()
				s.log.wait(t, mark, greeterUp)
				s.noSoundLeft(firstLocal)
				settle(t, "nothing is left on the server", func() bool { return len(s.soundFolders("/tmp")) == 0 })
			})
		}
	}
}
