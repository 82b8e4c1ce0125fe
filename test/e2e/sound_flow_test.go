package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// roundTrips returns how many questions to the display a second a program of anna's desktop
// gets answered.
func (s *station) roundTrips() float64 {
	s.t.Helper()
	out, err := s.as("x11perf", "-repeat", "1", "-time", "2", "-pointer")
	s.must(err)
	match := regexp.MustCompile(`\( *([0-9.]+)/sec\)`).FindStringSubmatch(out)
	if match == nil {
		s.t.Fatalf("x11perf says %s", out)
	}
	rate, err := strconv.ParseFloat(match[1], 64)
	s.must(err)
	return rate
}

// audioFrame is silence as PulseAudio's programs send it, for their first stream.
var audioFrame = make([]byte, 20+64<<10)

func init() { binary.BigEndian.PutUint32(audioFrame, 64<<10) }

// intrude connects to the socket of anna's sound as a program that has its cookie, and
// knows no manners.
func (s *station) intrude() net.Conn {
	s.t.Helper()
	folder := s.soundFolders("/tmp")[0]
	cookie, err := s.Server.ReadFile(folder + "/cookie")
	s.must(err)
	uid := s.serverUID("anna")
	conn, err := s.Server.DialAs(s.t.Context(), uid, uid, "unix", folder+"/native")
	s.must(err)
	s.t.Cleanup(func() { conn.Close() })
	_, err = conn.Write(slices.Concat(
		[]byte{0, 0, 1, 20, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, // a packet of 276 bytes
		[]byte{'L', 0, 0, 0, 8, 'L', 0, 0, 0, 0, 'L', 0, 0, 0, 35, 'x', 0, 0, 1, 0}, // AUTH, version 35
		cookie))
	s.must(err)
	return conn
}

// flood sends audio that nobody asked for until the test is over, and returns how
// many bytes were taken so far.
func (s *station) flood(ctx context.Context) (taken func() int64) {
	conn := s.intrude()
	context.AfterFunc(ctx, func() { conn.Close() })
	count := make(chan int64, 1)
	count <- 0
	go func() {
		for {
			n, err := conn.Write(audioFrame)
			count <- <-count + int64(n)
			if err != nil {
				return
			}
		}
	}()
	return func() int64 { n := <-count; count <- n; return n }
}

// Sound leaves the display alone: eight streams, a program that floods its socket, a
// daemon that stands still, and one that dies and comes back.
func TestSoundLeavesTheDisplayAlone(t *testing.T) {
	s := newStation(t)
	e := s.byHandWithSound("pulseaudio", 440, 30*time.Second)
	end := s.desktopByHand(e)
	defer end()
	silence := s.roundTrips()
	t.Logf("silence: %.0f round trips a second", silence)
	check := func(what string, least float64) {
		t.Helper()
		rate := s.roundTrips()
		t.Logf("%s: %.0f a second, ratio %.2f", what, rate, rate/silence)
		if rate < least*silence {
			t.Errorf("%s: %.0f round trips a second, %.0f in silence", what, rate, silence)
		}
	}
	const streams = 8
	_, err := s.as("sh", "-c", fmt.Sprintf("for i in $(seq %d); do setsid paplay tone.wav >/dev/null 2>&1 & done", streams))
	s.must(err)
	settle(t, "eight streams play", func() bool {
		out, err := e.pactl("list", "short", "sink-inputs")
		return err == nil && strings.Count(out, "\n") == streams
	})
	check("eight streams", 0.5)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	taken := s.flood(ctx)
	begin, before := time.Now(), taken()
	check("a flood", 0.2)
	t.Logf("of the flood %.1f MB a second were taken", float64(taken()-before)/1e6/time.Since(begin).Seconds())
	cancel()

	daemon := running(t, s.Client, named("pulseaudio"))[0]
	_, err = s.Client.Output(t.Context(), "kill", "-STOP", fmt.Sprint(daemon.PID))
	s.must(err)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	for range 4 {
		s.flood(ctx)
	}
	check("a daemon that stands still", 0.3)
	_, err = s.Client.Output(t.Context(), "kill", "-KILL", fmt.Sprint(daemon.PID))
	s.must(err)
	cancel()
	check("a daemon that died", 0.3)
	_, err = s.Client.Output(t.Context(), "rm", "-rf", "/run/carl")
	s.must(err)
	s.listen("pulseaudio")
	if out, err := s.as("timeout", "20", "pactl", "info"); err != nil || !strings.Contains(out, "Default Sink: "+speaker) {
		t.Errorf("with the new daemon: %v: %s", err, out)
	}
}

// A program on the server that wants the client's daemon to do something else
// than sound is refused; so is one with another cookie, and both change nothing for others.
func TestSoundIsOnlySound(t *testing.T) {
	for _, daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			s := newStation(t)
			e := s.byHandWithSound(daemon, 440, time.Second)
			before, err := s.Client.Output(t.Context(), "ss", "-Hltun")
			s.must(err)
			for _, args := range []string{
				"load-module module-native-protocol-tcp auth-anonymous=1", "load-module module-null-sink sink_name=mine", "unload-module module-null-sink", "exit",
			} {
				if out, err := e.remote(t.Context(), "sh", "-c", "timeout 10 pactl "+args).CombinedOutput(); status(err) != 1 {
					t.Errorf("pactl %s: %v: %s", args, err, out)
				}
			}
			after, err := s.Client.Output(t.Context(), "ss", "-Hltun")
			s.must(err)
			sinks, err := e.pactl("list", "short", "sinks")
			if err != nil || strings.Contains(sinks, "mine") || !strings.Contains(sinks, speaker) || before != after {
				t.Errorf("%v: sinks\n%slistening\n%s", err, sinks, after)
			}
			out, err := e.remote(t.Context(), "sh", "-c",
				"head -c 256 /dev/zero >false; unset PULSE_CLIENTCONFIG; PULSE_COOKIE=$PWD/false timeout 10 pactl info; timeout 10 pactl info").CombinedOutput()
			if err != nil || strings.Count(string(out), "Default Sink: "+speaker) != 1 {
				t.Errorf("with a wrong cookie, and then the right one: %v: %s", err, out)
			}
			if n := strings.Count(string(out), "level=WARN"); n != 1 {
				t.Errorf("%d lines in the log: %s", n, out)
			}
			for _, volume := range []string{"30%", "70%"} {
				_, err := e.remote(t.Context(), "pactl", "set-sink-volume", "@DEFAULT_SINK@", volume).Output()
				s.must(err)
				if out, err := e.pactl("get-sink-volume", speaker); err != nil || !strings.Contains(out, volume) {
					t.Errorf("volume %s: %v: %s", volume, err, out)
				}
			}
		})
	}
}
