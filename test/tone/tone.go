// Package tone makes tones and finds them again in what was recorded, to prove
// without ears that sound arrived whole.
package tone

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Rate is the number of samples in a second of all sound here. A sample is one
// channel's, signed, of 16 bits.
const Rate = 48000

// window is what is looked at at once. A gap of a millisecond or two shows in it.
const window = 10 * time.Millisecond

const windowSize = int(window * Rate / time.Second)

// Make returns a tone of half the full loudness.
func Make(hertz float64, length time.Duration) []int16 {
	samples := make([]int16, int(length.Seconds()*Rate))
	for i := range samples {
		samples[i] = int16(math.MaxInt16 / 2 * math.Sin(2*math.Pi*hertz*float64(i)/Rate))
	}
	return samples
}

// WAV returns a file that players take.
func WAV(samples []int16) []byte {
	var file bytes.Buffer
	size := uint32(2 * len(samples))
	file.WriteString("RIFF")
	binary.Write(&file, binary.LittleEndian, 36+size)
	file.WriteString("WAVEfmt ")
	binary.Write(&file, binary.LittleEndian, struct {
		Size              uint32
		Format, Channels  uint16
		Rate, BytesSecond uint32
		Frame, Bits       uint16
	}{16, 1, 1, Rate, 2 * Rate, 2, 16})
	file.WriteString("data")
	binary.Write(&file, binary.LittleEndian, size)
	binary.Write(&file, binary.LittleEndian, samples)
	return file.Bytes()
}

// Samples takes a recording of raw samples, little-endian, apart.
func Samples(raw []byte) []int16 {
	samples := make([]int16, len(raw)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return samples
}

// Tone is a tone that was found.
type Tone struct {
	Begin  time.Duration // of the recording
	Length time.Duration // from its first to its last moment
	Gap    time.Duration // how much is missing between them
	Gaps   int           // in how many places
	Hertz  float64       // measured, within one or two in a thousand
}

func (t Tone) String() string {
	return fmt.Sprintf("%.1f Hz for %v after %v, %d gaps of %v in all", t.Hertz, t.Length, t.Begin, t.Gaps, t.Gap)
}

// Find looks for a tone in a recording. Its bounds and gaps are multiples of 10 ms.
func Find(samples []int16, hertz float64) (t Tone, found bool) {
	var present []bool
	for ; len(samples[len(present)*windowSize:]) >= windowSize; present = append(present, holds(samples[len(present)*windowSize:][:windowSize], hertz)) {
	}
	first, last := -1, -1
	for i, p := range present {
		if p {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return Tone{}, false
	}
	t.Begin, t.Length = time.Duration(first)*window, time.Duration(last-first+1)*window
	longest, begin := 0, first
	for i := first; i <= last; i++ {
		if !present[i] {
			t.Gap += window
			if present[i-1] {
				t.Gaps++
			}
			begin = i + 1
		} else if i+1-begin > longest {
			longest = i + 1 - begin
			t.Hertz = frequency(samples[begin*windowSize : (i+1)*windowSize])
		}
	}
	return t, true
}

// holds reports whether most of the energy of a window is at a frequency: the
// Goertzel algorithm.
func holds(samples []int16, hertz float64) bool {
	coefficient := 2 * math.Cos(2*math.Pi*hertz/Rate)
	var s1, s2, energy float64
	for _, sample := range samples {
		x := float64(sample)
		s1, s2 = x+coefficient*s1-s2, s1
		energy += x * x
	}
	power := s1*s1 + s2*s2 - coefficient*s1*s2
	const quiet = 200 // of a sample, in the mean
	return energy > quiet*quiet*float64(len(samples)) && 2*power/float64(len(samples)) > 0.8*energy
}

// frequency measures a pure tone by where it crosses zero upwards.
func frequency(samples []int16) float64 {
	first, last, periods := 0.0, 0.0, -1
	for i := 1; i < len(samples); i++ {
		a, b := float64(samples[i-1]), float64(samples[i])
		if a >= 0 || b < 0 {
			continue
		}
		last = float64(i-1) + a/(a-b)
		if periods++; periods == 0 {
			first = last
		}
	}
	if periods <= 0 {
		return 0
	}
	return float64(periods) * Rate / (last - first)
}
