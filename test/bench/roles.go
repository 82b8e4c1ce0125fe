package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"goldm/internal/x11"
	"goldm/test/bench/xclient"
)

// dial connects to the display of the environment, until ctx is done.
func dial(ctx context.Context) (*xclient.Conn, error) {
	authority := os.Getenv("XAUTHORITY")
	if authority == "" {
		authority = os.Getenv("HOME") + "/.Xauthority"
	}
	if _, err := os.Stat(authority); err != nil {
		authority = ""
	}
	c, err := xclient.Dial(ctx, os.Getenv("DISPLAY"), authority)
	if err == nil {
		context.AfterFunc(ctx, func() { c.Close() }) // ends what it is used for
	}
	return c, err
}

// number is an argument that is a number.
func number(args []string, at int) (int, error) {
	if at >= len(args) {
		return 0, errors.New("an argument is missing")
	}
	return strconv.Atoi(args[at])
}

// runPing makes round trips for so many milliseconds and prints the mean, in
// microseconds.
func runPing(ctx context.Context, args []string) error {
	least, err := number(args, 0)
	if err != nil {
		return err
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	begin, n := time.Now(), 0
	for time.Since(begin) < time.Duration(least)*time.Millisecond {
		if err := c.RoundTrip(); err != nil {
			return err
		}
		n++
	}
	fmt.Printf("%.1f\n", float64(time.Since(begin).Microseconds())/float64(n))
	return nil
}

// The size of what is drawn.
const drawWidth, drawHeight = 800, 600

// runDraw draws pictures of a kind, so many frames, and prints how many
// seconds it took until the server had them all.
func runDraw(ctx context.Context, args []string) error {
	frames, err := number(args, 1)
	if err != nil {
		return err
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	window, err := c.Window("draw", drawWidth, drawHeight, 0)
	if err != nil {
		return err
	}
	gc, err := c.GC(window)
	if err != nil {
		return err
	}
	if err := c.RoundTrip(); err != nil {
		return err
	}
	kind, ok := kinds[args[0]]
	if !ok {
		return fmt.Errorf("no kind %q", args[0])
	}
	var pictures [4][]byte // painted beforehand: it is not what is measured
	for i := range pictures {
		pictures[i] = kind.paint(kind.rows, i)
	}
	begin := time.Now()
	for frame := range frames {
		if kind.rows < drawHeight { // as a wheel's click does
			if err := c.Scroll(window, gc, drawWidth, drawHeight, kind.rows); err != nil {
				return err
			}
		}
		if err := c.PutImage(window, gc, 0, drawHeight-kind.rows, drawWidth, pictures[frame%len(pictures)]); err != nil {
			return err
		}
	}
	if err := c.RoundTrip(); err != nil {
		return err
	}
	fmt.Printf("%.4f\n", time.Since(begin).Seconds())
	return nil
}

// kinds are what is drawn: so many rows, at the window's bottom.
var kinds = map[string]struct {
	rows  int
	paint func(rows, seed int) []byte
}{
	"text":   {drawHeight, text},
	"photo":  {drawHeight, photo},
	"scroll": {48, text},
}

// text looks to a compressor as a page of text does: white, and some letters,
// which come again.
func text(rows, seed int) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	pixels := make([]byte, 4*drawWidth*rows)
	for i := range pixels {
		pixels[i] = 0xff
	}
	const cell = 8
	for y := 0; y+2*cell <= rows; y += 2 * cell {
		for x := cell; x+cell < drawWidth*3/4; x += cell {
			letter(pixels, x, y, r.IntN(60))
		}
	}
	return pixels
}

// letter draws one of a few patterns that stay the same.
func letter(pixels []byte, x, y, which int) {
	shape := rand.New(rand.NewPCG(uint64(which), 2)).Uint64()
	for i := range 64 {
		if shape>>i&1 != 0 {
			at := 4 * ((y+i/8)*drawWidth + x + i%8)
			pixels[at], pixels[at+1], pixels[at+2] = 0, 0, 0
		}
	}
}

// photo is a gradient with the noise of a camera.
func photo(rows, seed int) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 3))
	pixels := make([]byte, 4*drawWidth*rows)
	for i := range rows * drawWidth {
		noise := r.Uint32()
		for channel := range 3 {
			pixels[4*i+channel] = byte(i/drawWidth/3+i%drawWidth/8*channel) + byte(noise>>(8*channel))&7
		}
	}
	return pixels
}

// runEcho shows a letter for each key, and changes its window's name when the
// letter is drawn.
func runEcho(ctx context.Context, _ []string) error {
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	window, err := c.Window("echo", 300, 100, xclient.KeyPressMask)
	if err != nil {
		return err
	}
	gc, err := c.GC(window)
	if err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	glyph := make([]byte, 4*8*16)
	for {
		event, err := c.Event()
		if err != nil {
			return err
		}
		if x11.Kind(event) != xclient.KeyPress {
			continue
		}
		if err := errors.Join(c.PutImage(window, gc, 10, 10, 8, glyph), c.Touch(window), c.Flush()); err != nil {
			return err
		}
	}
}

// runWindow shows a window until it is killed.
func runWindow(ctx context.Context, _ []string) error {
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Window("window", 200, 200, 0); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for {
		if _, err := c.Event(); err != nil {
			return err
		}
	}
}
