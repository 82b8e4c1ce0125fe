package main

import (
	"image"
	"image/color"
	"strings"
	"testing"
)

// screenful returns a picture of a gradient, with a share of it painted over.
func screenful(share float64, over color.RGBA) *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, 100, 100))
	for y := range 100 {
		for x := range 100 {
			p.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), 0, 255})
			if float64(y*100+x) < share*10000 {
				p.SetRGBA(x, y, over)
			}
		}
	}
	return p
}

func TestAlbumCheck(t *testing.T) {
	red := color.RGBA{255, 0, 0, 255}
	greeter, cursor, desktop, blank := screenful(0, red), screenful(0.0004, red), screenful(0.3, red), screenful(1, red)
	tests := []struct {
		name                    string
		greeter, desktop, again *image.RGBA
		want                    string
	}{
		{"as it should be", greeter, desktop, cursor, ""},
		{"an empty greeter", blank, desktop, greeter, "empty screen"},
		{"no desktop", greeter, cursor, greeter, "looks like the greeter"},
		{"no greeter again", greeter, desktop, desktop, "does not look as before"},
		{"a smaller screen", greeter, desktop, greeter.SubImage(image.Rect(0, 0, 50, 100)).(*image.RGBA), "does not look as before"},
	}
	for _, tt := range tests {
		err := album{greeterPicture: tt.greeter, desktopPicture: tt.desktop, againPicture: tt.again}.check()
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if d := difference(greeter, cursor); d >= cursorSize {
		t.Errorf("a cursor makes a difference of %v", d)
	}
}
