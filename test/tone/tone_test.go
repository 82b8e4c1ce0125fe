package tone

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	silence := make([]int16, Rate/2)
	recording := slices.Concat(silence, Make(440, time.Second), silence)
	tone, found := Find(recording, 440)
	if !found || tone.Gaps != 0 || tone.Begin != 500*time.Millisecond || tone.Length != time.Second || math.Abs(tone.Hertz-440) > 0.1 {
		t.Errorf("%v, %v", tone, found)
	}
	if tone, found := Find(recording, 600); found {
		t.Errorf("a tone of 600 Hz: %v", tone)
	}
	if _, found := Find(silence, 440); found {
		t.Error("a tone in silence")
	}
	if tone, _ := Find(slices.Concat(Make(445, time.Second)), 440); math.Abs(tone.Hertz-445) > 0.1 {
		t.Errorf("445 Hz is found as %v", tone)
	}
}

func TestGaps(t *testing.T) {
	cut := Make(440, time.Second)
	clear(cut[Rate/4:][:Rate/50])
	clear(cut[Rate/2:][:Rate/250])
	tone, found := Find(cut, 440)
	if !found || tone.Gaps != 2 || tone.Gap < 20*time.Millisecond || tone.Gap > 60*time.Millisecond {
		t.Errorf("%v, %v", tone, found)
	}
}

func TestWAV(t *testing.T) {
	tone := Make(1000, 10*time.Millisecond)
	file := WAV(tone)
	if len(file) != 44+2*len(tone) || !slices.Equal(Samples(file[44:]), tone) {
		t.Errorf("%d bytes", len(file))
	}
}
