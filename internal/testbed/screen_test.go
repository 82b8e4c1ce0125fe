package testbed

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"testing"
)

// windowDump is a picture of one red and one blue pixel, with two bytes of
// window name, one colour map entry and padding at the end of the line.
func windowDump() []byte {
	header := [xwdFields]uint32{xwdHeaderSize: 102, xwdVersion: 7, xwdFormat: 2, xwdWidth: 2, xwdHeight: 1, xwdBitsPerPixel: 32,
		xwdBytesPerLine: 12, xwdRedMask: 0xff0000, xwdGreenMask: 0xff00, xwdBlueMask: 0xff, xwdColours: 1}
	var dump bytes.Buffer
	binary.Write(&dump, binary.BigEndian, header)
	dump.WriteString("w\x00")
	dump.Write(make([]byte, xwdColour))
	dump.Write([]byte{0, 0, 0xff, 0, 0xff, 0, 0, 0, 0, 0, 0, 0})
	return dump.Bytes()
}

func TestDecodeXWD(t *testing.T) {
	picture, err := decodeXWD(windowDump())
	if err != nil {
		t.Fatal(err)
	}
	red, blue := color.RGBA{R: 0xff, A: 0xff}, color.RGBA{B: 0xff, A: 0xff}
	if b := picture.Bounds(); b.Dx() != 2 || b.Dy() != 1 || picture.RGBAAt(0, 0) != red || picture.RGBAAt(1, 0) != blue {
		t.Errorf("got %v", picture)
	}
	for n := range windowDump() {
		if _, err := decodeXWD(windowDump()[:n]); err == nil {
			t.Errorf("no error for the first %d bytes", n)
		}
	}
}

func FuzzDecodeXWD(f *testing.F) {
	f.Add(windowDump())
	f.Fuzz(func(t *testing.T, dump []byte) { decodeXWD(dump) })
}
