package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/test/tone"
)

// The null sinks of a client without a sound card: what is played goes to speaker,
// whose monitor hears it; the microphone hears what is played to room.
const (
	speaker = "speaker"
	room    = "room"
)

// daemons are the sound daemons that a client may have.
var daemons = []string{"pulseaudio", "pipewire"}

// ears are a user's sound daemon on the client, and the environment of its programs.
type ears struct {
	machine *testbed.Machine
	user    string
	env     []string
	monitor string // what hears its loudspeaker
	log     *journal
}

// listen starts a sound daemon for carl, as it would run in his own desktop.
func (s *station) listen(daemon string) *ears { return s.listenAs("carl", daemon, "/run/carl") }

func (s *station) listenAs(user, daemon, run string) *ears {
	s.t.Helper()
	ctx := s.t.Context()
	_, err := s.Client.Output(ctx, "install", "-d", "-m", "700", "-o", user, run)
	s.must(err)
	e := &ears{machine: s.Client, user: user, env: []string{"XDG_RUNTIME_DIR=" + run, "DISPLAY=:7"}, monitor: speaker + ".monitor", log: newJournal()}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", daemon, e.log)
		}
	})
	switch daemon {
	case "pulseaudio":
		e.start(s, "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-native-protocol-unix")
	case "pipewire":
		// wireplumber asks logind who is at the seat, for which these have to be there.
		_, err := s.Client.Output(ctx, "mkdir", "-p", "/run/systemd/seats", "/run/systemd/sessions", "/run/systemd/users", "/run/systemd/machines")
		s.must(err)
		e.start(s, "dbus-run-session", "--", "sh", "-c", startPipeWire)
	}
	settle(s.t, daemon+" is there", func() bool { _, err := e.pactl("info"); return err == nil })
	for _, sink := range []string{speaker, room} {
		_, err := e.pactl("load-module", "module-null-sink", "sink_name="+sink, "rate=48000", "channels=2")
		s.must(err)
	}
	settle(s.t, "its sinks are there", func() bool {
		out, err := e.pactl("list", "short", "sources")
		return err == nil && strings.Contains(out, room+".monitor") && strings.Contains(out, speaker+".monitor")
	})
	settle(s.t, "they are the defaults", func() bool {
		// pipewire-pulse takes that only once WirePlumber has come up, which minds it.
		e.pactl("set-default-sink", speaker)
		e.pactl("set-default-source", room+".monitor")
		out, err := e.pactl("info")
		return err == nil && strings.Contains(out, "Default Sink: "+speaker+"\n") && strings.Contains(out, "Default Source: "+room+".monitor\n")
	})
	return e
}

// startPipeWire starts PipeWire's daemons. The other two end where they do not find the first.
const startPipeWire = "pipewire & until [ -S $XDG_RUNTIME_DIR/pipewire-0 ]; do sleep 0.05; done; wireplumber & exec pipewire-pulse"

func (e *ears) start(s *station, argv ...string) {
	s.t.Helper()
	c := e.command(s.t.Context(), argv...)
	c.Stdout, c.Stderr = e.log, e.log
	s.must(c.Start())
}

// command is a program of the client, as the ears' user.
func (e *ears) command(ctx context.Context, argv ...string) *testbed.Cmd {
	c := e.machine.Command(ctx, e.user, argv...)
	c.Env = append(c.Env, e.env...)
	return c
}

func (e *ears) pactl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := e.command(ctx, append([]string{"pactl"}, args...)...).Output()
	return string(out), err
}

// rawTone are the options of parec and paplay for what package tone takes.
var rawTone = []string{"--raw", "--format=s16le", "--channels=1", fmt.Sprintf("--rate=%d", tone.Rate)}

// record records what the speaker plays while f runs, and then a little.
func (e *ears) record(t *testing.T, f func()) []int16 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := e.command(ctx, append([]string{"parec", "--device=" + e.monitor, "--latency-msec=100"}, rawTone...)...)
	heard := newJournal()
	c.Stdout = heard
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	settle(t, "the recorder runs", func() bool { return heard.mark() > 0 })
	f()
	end := heard.mark() + 2*tone.Rate // a second
	settle(t, "the end is heard", func() bool { return heard.mark() >= end })
	cancel()
	c.Wait()
	return tone.Samples([]byte(heard.String()))
}

// heard fails unless a tone is in a recording, for so long and without more than a
// gap. A computer that is busy with something else drops out without our help, and
// then some programs play on for longer, so there are several tries.
func heard(t *testing.T, hertz float64, length, gap time.Duration, record func() []int16) {
	t.Helper()
	for try := 1; ; try++ {
		found, ok := tone.Find(record(), hertz)
		t.Logf("%v", found)
		right := ok && math.Abs(found.Hertz-hertz) < hertz/50
		whole := length == 0 || (found.Length-length).Abs() <= 100*time.Millisecond
		if right && whole && found.Gap <= gap {
			return
		}
		if found.Gap == 0 || try == 5 { // each gap adds to the frequency too
			t.Errorf("heard %v, want %v Hz for %v", found, hertz, length)
			return
		}
	}
}

// byHandWithSound prepares carl's display, his key for anna's account, and a tone
// in her home.
func (s *station) byHandWithSound(daemon string, hertz float64, length time.Duration) *ears {
	s.t.Helper()
	s.byHand()
	s.giveKey()
	s.putTone(hertz, length)
	return s.listen(daemon)
}

// putTone puts a tone into anna's home.
func (s *station) putTone(hertz float64, length time.Duration) {
	s.t.Helper()
	write := s.Server.Command(s.t.Context(), "anna", "sh", "-c", "cat > tone.wav")
	write.Stdin = bytes.NewReader(tone.WAV(tone.Make(hertz, length)))
	s.must(write.Run())
}

// remote runs a command on the server from carl's session.
func (e *ears) remote(ctx context.Context, argv ...string) *testbed.Cmd {
	return e.command(ctx, append([]string{"ldm-session", "anna@server", "--"}, argv...)...)
}

// soundFolders returns the folders of sound that sessions have on the server.
func (s *station) soundFolders(base string) []string {
	s.t.Helper()
	entries, err := s.Server.ReadDir(base)
	s.must(err)
	var folders []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "ltsp-sound-") {
			folders = append(folders, base+"/"+e.Name())
		}
	}
	return folders
}

// The user's own daemon plays what programs on the server play, and they hear its microphone.
func TestSoundByHand(t *testing.T) {
	for _, daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			s := newStation(t)
			const hertz, length = 440, 3 * time.Second
			e := s.byHandWithSound(daemon, hertz, length)
			if carl, anna := s.uid("carl"), s.serverUID("anna"); carl != anna {
				t.Errorf("user ids %d and %d: they have to be equal for the trap of shared memory", carl, anna)
			}
			for player, argv := range map[string][]string{
				"paplay": {"paplay", "tone.wav"},
				"aplay":  {"aplay", "-q", "tone.wav"},
			} {
				t.Log(player)
				heard(t, hertz, length, 0, func() []int16 {
					return e.record(t, func() {
						if out, err := e.remote(t.Context(), argv...).CombinedOutput(); err != nil {
							t.Errorf("%s: %v: %s", player, err, out)
						}
					})
				})
			}
			heard(t, 600, 2*time.Second, 0, func() []int16 { return s.microphone(e, tone.Make(600, 2*time.Second)) })
			if left := s.soundFolders("/tmp"); len(left) != 0 {
				t.Errorf("left on the server: %v", left)
			}
		})
	}
}

// microphone plays sound in the client's room and returns what the server records.
func (s *station) microphone(e *ears, samples []int16) []int16 {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	recorder := e.remote(ctx, append([]string{"parec", "--latency-msec=100"}, rawTone...)...)
	recording := newJournal()
	recorder.Stdout = recording
	s.must(recorder.Start())
	settle(s.t, "the server's recorder runs", func() bool { return recording.mark() > 0 })
	s.must(e.playInRoom(ctx, samples))
	end := recording.mark() + 2*tone.Rate
	settle(s.t, "the end is heard", func() bool { return recording.mark() >= end })
	cancel()
	recorder.Wait()
	return tone.Samples([]byte(recording.String()))
}

// playInRoom plays where the client's microphone hears it.
func (e *ears) playInRoom(ctx context.Context, samples []int16) error {
	play := e.command(ctx, append([]string{"paplay", "--device=" + room}, rawTone...)...)
	play.Stdin = bytes.NewReader(tone.WAV(samples)[44:])
	_, err := play.Output()
	return err
}

// What lies on the server is the user's alone, and nothing new listens on the network.
func TestSoundIsPrivate(t *testing.T) {
	s := newStation(t)
	e := s.byHandWithSound("pulseaudio", 440, time.Second)
	before, err := s.Server.Output(t.Context(), "ss", "-Hltun")
	s.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := e.remote(ctx, "sh", "-c", "env; pactl info; sleep 1000")
	said := newJournal()
	c.Stdout, c.Stderr = said, said
	s.must(c.Start())
	said.wait(t, 0, "Default Sink: "+speaker)
	folders := s.soundFolders("/tmp")
	if len(folders) != 1 {
		t.Fatalf("folders %v", folders)
	}
	for name, want := range map[string]fs.FileMode{"": fs.ModeDir | 0o700, "/native": fs.ModeSocket | 0o600, "/cookie": 0o600, "/client.conf": 0o600} {
		info, err := s.Server.Stat(folders[0] + name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	cookie, err := s.Server.ReadFile(folders[0] + "/cookie")
	s.must(err)
	daemons, err := s.Client.ReadFile("/home/carl/.config/pulse/cookie")
	s.must(err)
	if len(cookie) != 256 || bytes.Equal(cookie, daemons) {
		t.Errorf("the cookie on the server has %d bytes, and is the daemon's: %v", len(cookie), bytes.Equal(cookie, daemons))
	}
	after, err := s.Server.Output(t.Context(), "ss", "-Hltun")
	s.must(err)
	if strings.Count(after, "\n") > strings.Count(before, "\n")+2 { // sshd's for X11 on 127.0.0.1 and ::1
		t.Errorf("listens on the network:\n%sbefore:\n%s", after, before)
	}
}

// The trap: where the user ids on both sides are equal, PulseAudio's two ends agree
// on memory to share, and are silent.
func TestSoundFiftyTimes(t *testing.T) {
	for _, daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			s := newStation(t)
			e := s.byHandWithSound(daemon, 440, 300*time.Millisecond)
			out, err := e.remote(t.Context(), "sh", "-c",
				"seq 50 | xargs -P 10 -I{} sh -c 'timeout 30 paplay tone.wav && echo good' | grep -c good").Output()
			if err != nil || strings.TrimSpace(string(out)) != "50" {
				t.Errorf("%v: %s of 50", err, out)
			}
			// Without the configuration that forbids it, too.
			out, err = e.remote(t.Context(), "sh", "-c",
				"unset PULSE_CLIENTCONFIG; seq 10 | xargs -P 10 -I{} sh -c 'timeout 30 paplay tone.wav && echo good' | grep -c good").Output()
			if err != nil || strings.TrimSpace(string(out)) != "10" {
				t.Errorf("%v: %s of 10", err, out)
			}
		})
	}
}
