package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// volume returns the loudness and the muting of the client's speaker, as pactl says them.
func (e *ears) volume(t *testing.T) (percent string, muted bool) {
	t.Helper()
	volume, err := e.pactl("get-sink-volume", speaker)
	if err != nil {
		t.Fatal(err)
	}
	mute, err := e.pactl("get-sink-mute", speaker)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`[0-9]+%`).FindString(volume), strings.Contains(mute, "yes")
}

// The keyboard's keys for the volume, as a stock desktop on the server binds them, reach the
// client's daemon.
func TestSoundKeys(t *testing.T) {
	for _, daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			s := newStation(t)
			e := s.byHandWithSound(daemon, 440, time.Second)
			_, err := e.pactl("set-sink-volume", speaker, "50%")
			s.must(err)
			end := s.desktopByHand(e)
			defer end()
			for _, tt := range []struct {
				key, percent string
				muted        bool
			}{
				{"XF86AudioRaiseVolume", "55%", false},
				{"XF86AudioRaiseVolume", "60%", false},
				{"XF86AudioLowerVolume", "55%", false},
				{"XF86AudioMute", "55%", true},
				{"XF86AudioMute", "55%", false},
			} {
				c := e.command(t.Context(), "xdotool", "key", tt.key)
				_, err := c.Output()
				s.must(err)
				settle(t, tt.key+" gives "+tt.percent, func() bool {
					percent, muted := e.volume(t)
					return percent == tt.percent && muted == tt.muted
				})
			}
		})
	}
}

// A headset that is plugged in during a session is there for its programs, can be made the
// default, and plays.
func TestSoundHeadset(t *testing.T) {
	const hertz, length, headset = 440, time.Second, "headset"
	for _, daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			s := newStation(t)
			e := s.byHandWithSound(daemon, hertz, length)
			end := s.desktopByHand(e)
			defer end()
			sees := func(kind, name string) bool {
				out, err := s.as("timeout", "10", "pactl", "list", "short", kind)
				return err == nil && slices.Contains(strings.Fields(out), name)
			}
			if sees("sinks", headset) {
				t.Fatal("there is a headset already")
			}
			_, err := e.pactl("load-module", "module-null-sink", "sink_name="+headset, "rate=48000", "channels=2")
			s.must(err)
			settle(t, "the session sees the headset", func() bool { return sees("sinks", headset) && sees("sources", headset+".monitor") })
			for _, set := range [][]string{{"set-default-sink", headset}, {"set-default-source", headset + ".monitor"}} {
				_, err := s.as(append([]string{"timeout", "10", "pactl"}, set...)...)
				s.must(err)
			}
			settle(t, "it is the client's default", func() bool {
				out, err := e.pactl("info")
				return err == nil && strings.Contains(out, "Default Sink: "+headset+"\n")
			})
			e.monitor = headset + ".monitor"
			s.plays(e, hertz, length, 0, "paplay", "tone.wav")
		})
	}
}
