package e2e

import (
	"strings"
	"testing"
)

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
