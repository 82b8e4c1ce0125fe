package via

import "testing"

func TestText(t *testing.T) {
	for w, name := range map[Way]string{Auto: "auto", Accelerated: "accelerated", Forwarded: "forwarded", Direct: "direct"} {
		text, err := w.MarshalText()
		if err != nil || string(text) != name || w.String() != name {
			t.Errorf("%d is %q, %v", int(w), text, err)
		}
		var back Way
		if err := back.UnmarshalText(text); err != nil || back != w {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
	for _, bad := range []Way{-1, 4} {
		if text, err := bad.MarshalText(); err == nil {
			t.Errorf("%d is %q", int(bad), text)
		}
	}
	for _, bad := range []string{"", "fast", "Direct", "auto "} {
		w := Forwarded
		if err := w.UnmarshalText([]byte(bad)); err == nil || w != Forwarded {
			t.Errorf("%q: %v, %v", bad, w, err)
		}
	}
}
