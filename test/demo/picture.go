package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
)

const (
	// fewColours is less than any screen with smooth text on it has.
	fewColours = 16
	// cursorSize is the share of the pixels that a blinking cursor may change.
	cursorSize = 0.0005
	// sameScreen is the share up to which two pictures show the same screen.
	sameScreen = 0.01
	// otherScreen is the share from which on they show different ones.
	otherScreen = 0.05
)

// colours counts the colours of a picture, up to fewColours.
func colours(p *image.RGBA) int {
	seen := make(map[color.RGBA]bool)
	for i := 0; i+3 < len(p.Pix) && len(seen) < fewColours; i += 4 {
		seen[color.RGBA{p.Pix[i], p.Pix[i+1], p.Pix[i+2], p.Pix[i+3]}] = true
	}
	return len(seen)
}

// difference is the share of the pixels, from 0 to 1, in which two pictures differ.
func difference(a, b *image.RGBA) float64 {
	if a.Rect != b.Rect || len(a.Pix) != len(b.Pix) {
		return 1
	}
	differ := 0
	for i := 0; i+3 < len(a.Pix); i += 4 {
		if [4]byte(a.Pix[i:i+4]) != [4]byte(b.Pix[i:i+4]) {
			differ++
		}
	}
	return float64(differ) / float64(max(1, len(a.Pix)/4))
}

// album is the pictures of a demo, by name.
type album map[string]*image.RGBA

// The pictures that the demo takes.
const (
	greeterPicture = "1-greeter"
	desktopPicture = "2-desktop"
	clientPicture  = "3-client-program"
	againPicture   = "4-greeter-again"
)

// check tells what is wrong with the pictures.
func (a album) check() error {
	for name, picture := range a {
		if n := colours(picture); n < fewColours {
			return fmt.Errorf("picture %s: only %d colours, an empty screen", name, n)
		}
	}
	greeter, desktop, again := a[greeterPicture], a[desktopPicture], a[againPicture]
	if d := difference(greeter, desktop); d < otherScreen {
		return fmt.Errorf("the desktop looks like the greeter: %.1f %% of the pixels differ", 100*d)
	}
	if d := difference(greeter, again); d > sameScreen {
		return fmt.Errorf("the greeter does not look as before: %.1f %% of the pixels differ", 100*d)
	}
	return nil
}

// write leaves the pictures in a folder, as PNG files.
func (a album) write(folder string) error {
	for name, picture := range a {
		var data bytes.Buffer
		if err := png.Encode(&data, picture); err != nil {
			return err
		}
		if err := writeFile(filepath.Join(folder, name+".png"), data.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
