package xproxy

import (
	"bytes"
	"math/bits"

	"goldm/internal/x11"
)

// visual is a TrueColor visual: the bits of a pixel that make red, green and blue.
type visual [3]uint32

// maxLevels bounds the intensities of one channel.
const maxLevels = 1 << 8

// levels returns how many intensities each channel has; false where the visual makes no sense.
func (v visual) levels() (n [3]int, ok bool) {
	for i, mask := range v {
		n[i] = int(mask>>bits.TrailingZeros32(mask)) + 1
		if mask == 0 || n[i]&(n[i]-1) != 0 || n[i] > maxLevels || mask&(v[(i+1)%3]) != 0 {
			return n, false
		}
	}
	return n, true
}

// pixel returns the pixel of one intensity of each channel.
func (v visual) pixel(level [3]int) (pixel uint32) {
	for i, mask := range v {
		pixel |= uint32(level[i]) << bits.TrailingZeros32(mask)
	}
	return pixel
}

// colours are those of the default colormap of a TrueColor visual, which nobody can
// change: the intensities of each channel, by the upper bits of what is asked for. X.Org
// gives those and not always the closest (miResolveColor in mi/micmap.c).
type colours struct {
	visual visual
	levels [3][]uint16
}

// ramp returns pixels in which each intensity of each channel occurs.
func (v visual) ramp() (pixels []uint32) {
	n, ok := v.levels()
	if !ok {
		return nil
	}
	for i := range max(n[0], n[1], n[2]) {
		pixels = append(pixels, v.pixel([3]int{min(i, n[0]-1), min(i, n[1]-1), min(i, n[2]-1)}))
	}
	return pixels
}

// probe are requests about a default colormap: one for its colours, and those whose replies
// tell whether AllocColor is what we take it for. These are for both ends of the stretch that has one
// intensity, which says all about what lies between as long as more does not become less.
func (v visual) probe(o x11.Order, colormap uint32) (requests [][]byte) {
	ramp := v.ramp()
	if ramp == nil {
		return nil
	}
	query := o.AppendUint16([]byte{queryColors, 0}, uint16(2+len(ramp)))
	query = o.AppendUint32(query, colormap)
	for _, pixel := range ramp {
		query = o.AppendUint32(query, pixel)
	}
	requests = [][]byte{query}
	for i := range len(ramp) {
		for _, end := range []int{i, i + 1} {
			level := uint16(end*(1<<16/len(ramp)) - (end - i))
			alloc := o.AppendUint32(o.AppendUint16([]byte{allocColor, 0}, 4), colormap)
			alloc = o.AppendUint16(o.AppendUint16(o.AppendUint16(alloc, level), level), level)
			requests = append(requests, append(alloc, 0, 0))
		}
	}
	return requests
}

// learn makes colours from the replies to a probe; nil where they do not fit.
func (v visual) learn(o x11.Order, requests, replies [][]byte) *colours {
	c := newColours(o, v, replies[0])
	if c == nil {
		return nil
	}
	for i, request := range requests {
		known := c.query
		if i > 0 {
			known = c.alloc
		}
		if !sameReply(known(o, request), replies[i]) {
			return nil
		}
	}
	return c
}

// sameReply compares replies, but for their sequence numbers.
func sameReply(a, b []byte) bool {
	return len(a) == len(b) && len(a) >= x11.AnswerHead && bytes.Equal(a[:2], b[:2]) && bytes.Equal(a[4:], b[4:])
}

// newColours makes colours from the reply to QueryColors about a visual's ramp; nil where it makes
// no sense.
func newColours(o x11.Order, v visual, reply []byte) *colours {
	n, ok := v.levels()
	count := max(n[0], n[1], n[2])
	if !ok || len(reply) != x11.AnswerHead+8*count {
		return nil
	}
	c := &colours{visual: v}
	for i := range c.levels {
		for k := range n[i] {
			c.levels[i] = append(c.levels[i], o.Uint16(reply[x11.AnswerHead+8*k+2*i:]))
		}
	}
	return c
}

// alloc returns the reply to an AllocColor.
func (c *colours) alloc(o x11.Order, request []byte) []byte {
	reply := make([]byte, x11.AnswerHead)
	reply[0] = x11.Reply
	var level [3]int
	for i, levels := range c.levels {
		level[i] = int(o.Uint16(request[8+2*i:])) * len(levels) >> 16
		o.PutUint16(reply[8+2*i:], levels[level[i]])
	}
	o.PutUint32(reply[16:], c.visual.pixel(level))
	return reply
}

// query returns the reply to a QueryColors; nil where a pixel is none.
func (c *colours) query(o x11.Order, request []byte) []byte {
	n := (len(request) - 8) / 4
	reply := make([]byte, x11.AnswerHead+8*n)
	reply[0] = x11.Reply
	o.PutUint32(reply[4:], uint32(2*n))
	o.PutUint16(reply[8:], uint16(n))
	for k := range n {
		pixel := o.Uint32(request[8+4*k:])
		if pixel&^(c.visual[0]|c.visual[1]|c.visual[2]) != 0 {
			return nil
		}
		for i, mask := range c.visual {
			level := c.levels[i][pixel&mask>>bits.TrailingZeros32(mask)]
			o.PutUint16(reply[x11.AnswerHead+8*k+2*i:], level)
		}
	}
	return reply
}
