package sound

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldm/ldm/room"
)

// install puts empty programs on an otherwise empty PATH.
func install(t *testing.T, names ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestChoose(t *testing.T) {
	pipewire := []string{"pipewire", "wireplumber", "pipewire-pulse"}
	for _, tt := range []struct {
		setting   string
		installed []string
		want      string // or a part of the error
	}{
		{"auto", slices.Concat(pipewire, []string{"pulseaudio"}), "pipewire"},
		{"auto", []string{"pipewire", "pulseaudio"}, "pulseaudio"}, // a library's dependency, not the daemon in use
		{"auto", nil, "not installed: pipewire, pulseaudio"},
		{"pulseaudio", slices.Concat(pipewire, []string{"pulseaudio"}), "pulseaudio"},
		{"pulseaudio", pipewire, "not installed: pulseaudio"},
		{"pipewire", []string{"pipewire", "pulseaudio"}, "not installed: wireplumber"},
	} {
		install(t, tt.installed...)
		d, err := Choose(tt.setting)
		if err == nil && d.String() != tt.want || err != nil && err.Error() != tt.want {
			t.Errorf("%s of %v: got %v, %v", tt.setting, tt.installed, d, err)
		}
	}
}

// What every daemon is told, whatever else.
func TestConfiguration(t *testing.T) {
	c := &Config{Volume: 50, Dir: "/run/ldm/seat0/30000"}
	for _, d := range daemons {
		var all strings.Builder
		for name, text := range d.files(c) {
			if !filepath.IsLocal(name) {
				t.Errorf("%s writes %s", d, name)
			}
			all.WriteString(text)
		}
		if !strings.Contains(all.String(), "/run/ldm/seat0/30000/native") {
			t.Errorf("%s is not told of its socket", d)
		}
		for _, never := range []string{"anonymous", "tcp", "zeroconf", "rtp"} {
			if strings.Contains(all.String(), never) {
				t.Errorf("%s has %s", d, never)
			}
		}
	}
	if script := pulseScript(c); !strings.Contains(script, "auth-cookie=/run/ldm/seat0/30000/cookie ") || !strings.Contains(script, "@DEFAULT_SINK@ 32768\n") {
		t.Errorf("script: %s", script)
	}
	if got := cubic(50); got != 0.125 {
		t.Errorf("half the volume is %v", got)
	}
}

// A sound card that is plugged in later is found: one process looks out for it, and where
// udev tells of it.
func TestHotPlug(t *testing.T) {
	for _, d := range daemons {
		watchers := 0
		for _, p := range d.processes {
			if p.network {
				watchers++
			}
		}
		if watchers != 1 {
			t.Errorf("%s: %d processes see udev's events", d, watchers)
		}
	}
	script := pulseScript(&Config{Volume: 50, Dir: "/run/ldm/seat0/30000"})
	for _, module := range []string{"module-udev-detect", "module-switch-on-port-available", "module-switch-on-connect"} {
		if !strings.Contains(script, "\nload-module "+module+"\n") {
			t.Errorf("no %s in the script: %s", module, script)
		}
	}
	for name, text := range pipeWire.files(&Config{Dir: "/run/ldm/seat0/30000"}) {
		for _, off := range []string{"alsa_monitor.enabled", "monitor.alsa", "hardware.audio = disabled"} {
			if strings.Contains(text, off) {
				t.Errorf("%s meddles with the monitor: %s", name, text)
			}
		}
	}
}

func TestPauses(t *testing.T) {
	var got []time.Duration
	for failures := 1; failures < maxFailures; failures++ {
		got = append(got, pause(failures))
	}
	if want := []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// A folder that is missing is an error, not a daemon without a socket.
func TestStartNeedsItsFolder(t *testing.T) {
	s, err := Start(Config{Daemon: &pulseAudio, Room: new(room.Room), Dir: "/nonexistent"})
	if err == nil {
		s.Stop()
		t.Fatal("no error")
	}
}
