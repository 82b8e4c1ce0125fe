package testbed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
)

// Screenshot returns what an X server of the machine shows. authority is the
// path of an Xauthority file on the machine; empty where none is needed.
func (m *Machine) Screenshot(ctx context.Context, display, authority string) (*image.RGBA, error) {
	xwd := m.Command(ctx, "root", "xwd", "-root", "-silent", "-display", display)
	xwd.Env = append(xwd.Env, "XAUTHORITY="+authority)
	dump, err := xwd.Output()
	if err != nil {
		return nil, err
	}
	return decodeXWD(dump)
}

// The fields of an X window dump's header that matter here, of 25 big-endian
// words: X11/XWDFile.h.
const (
	xwdHeaderSize = iota
	xwdVersion
	xwdFormat
	_ // depth
	xwdWidth
	xwdHeight
	_ // x offset
	xwdByteOrder
	_ // bitmap unit
	_ // bitmap bit order
	_ // bitmap pad
	xwdBitsPerPixel
	xwdBytesPerLine
	_ // visual class
	xwdRedMask
	xwdGreenMask
	xwdBlueMask
	_ // bits per RGB
	_ // colour map entries
	xwdColours
	xwdFields = 25
)

// The limits of what decodeXWD takes for a screen.
const (
	maxSide   = 16384
	xwdColour = 12 // bytes of one entry of the colour list
)

// decodeXWD decodes the dump of a TrueColor screen with four bytes a pixel, as
// all X servers of today have it.
func decodeXWD(dump []byte) (*image.RGBA, error) {
	var h [xwdFields]uint32
	if len(dump) < 4*len(h) {
		return nil, errors.New("window dump: no header")
	}
	for i := range h {
		h[i] = binary.BigEndian.Uint32(dump[4*i:])
	}
	masks := [3]uint32{h[xwdRedMask], h[xwdGreenMask], h[xwdBlueMask]}
	if h[xwdVersion] != 7 || h[xwdFormat] != 2 || h[xwdByteOrder] != 0 || h[xwdBitsPerPixel] != 32 ||
		masks != [3]uint32{0xff0000, 0xff00, 0xff} {
		return nil, fmt.Errorf("window dump: not a TrueColor picture of 4 bytes a pixel: % x", h)
	}
	width, height, stride := h[xwdWidth], h[xwdHeight], h[xwdBytesPerLine]
	if width == 0 || height == 0 || width > maxSide || height > maxSide || stride < 4*width || stride > 4*maxSide {
		return nil, fmt.Errorf("window dump: %d × %d with %d bytes a line", width, height, stride)
	}
	start := uint64(h[xwdHeaderSize]) + xwdColour*uint64(h[xwdColours])
	if uint64(len(dump)) < start+uint64(stride)*uint64(height) {
		return nil, errors.New("window dump: cut short")
	}
	pixels := dump[start:]
	picture := image.NewRGBA(image.Rect(0, 0, int(width), int(height)))
	for y := range int(height) {
		line := pixels[y*int(stride):]
		for x := range int(width) {
			p := line[4*x:] // blue first: the byte order is little-endian
			picture.SetRGBA(x, y, color.RGBA{R: p[2], G: p[1], B: p[0], A: 0xff})
		}
	}
	return picture, nil
}
