package mux

import "math"

// In photos little comes twice, but a pixel is near the one before it: by how much it differs,
// colour by colour, takes a third fewer bytes than what it is, or less (as with PNG's filter Sub,
// section 9.2). Where letters come again, and for what is no pixels, it takes more.

// pixel is the size of a pixel of depth 24 or 32, in bytes. It does not matter where the first begins.
const pixel = 4

// leastPixels is how many bytes it takes to tell what they are.
const leastPixels = 4 << 10

// arePixels reports whether differences of pixels are shorter than the pixels, by the entropy
// of some of the bytes of either. What is regular is left to matches with what came before.
func arePixels(b []byte) bool {
	if len(b) < leastPixels {
		return false
	}
	const step, some = 68, 8 // not a divisor of what rows may be long, so that all columns are seen
	var plain, differences histogram
	for ; len(b) >= step; b = b[step:] {
		for i := pixel; i < pixel+some; i++ {
			plain[b[i]]++
			differences[b[i]-b[i-pixel]]++
		}
	}
	entropy := plain.entropy()
	return entropy > 4 && differences.entropy() < 0.9*entropy
}

// histogram is how often each byte occurs.
type histogram [256]uint16

// entropy is how many bits a byte takes.
func (h *histogram) entropy() float64 {
	var sum, bits float64
	for _, n := range h {
		if n > 0 {
			sum += float64(n)
			bits -= float64(n) * math.Log2(float64(n))
		}
	}
	return bits/sum + math.Log2(sum)
}

// splitPixels appends by how much each byte of src differs from that of the pixel before: first
// of all that begin a pixel, then of the next ones, as a colour is most like itself.
func splitPixels(dst, src []byte) []byte {
	for first := range pixel {
		before := byte(0)
		for i := first; i < len(src); i += pixel {
			dst = append(dst, src[i]-before)
			before = src[i]
		}
	}
	return dst
}

// joinPixels undoes splitPixels, into as many bytes of dst.
func joinPixels(dst, src []byte) {
	for first := range pixel {
		before := byte(0)
		for i := first; i < len(dst); i += pixel {
			before += src[0]
			dst[i] = before
			src = src[1:]
		}
	}
}
