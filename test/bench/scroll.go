package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"goldm/internal/testbed"
	"goldm/internal/x11"
	"goldm/test/bench/xclient"
)

const (
	pageFolder = "/tmp/bench-page"
	keyPage    = 117 // Page Down, on the keyboard that Xvfb pretends to have
	scrolls    = 10  // keys in each run
)

// measureScrolling has Firefox show a page and scroll it.
func (l *lab) measureScrolling(ctx context.Context) (string, error) {
	t := table{title: "Milliseconds from the command until Firefox has drawn a page of text and photos, and from Page Down until the next part of it " +
		"is drawn: what is meant is the last change on the client's screen before a time without any. Firefox's smooth scrolling is off, so that a key is " +
		fmt.Sprintf("one picture. The median, the least and the most of %d starts and %d keys.", l.runs, scrolls*l.runs), head: []string{"ms"}}
	if err := l.writePage(ctx); err != nil {
		return "", err
	}
	names := []string{local, ssh, sshC, nx, ours, accelerated}
	err := l.overLinks(ctx, l.or(20*time.Millisecond), names, func(s setting, ways []*way) error {
		start, scroll := make(map[string]sample), make(map[string]sample)
		for range l.runs {
			for _, w := range alive(ways) {
				if err := w.failed(l.scrollOver(ctx, w, s, start, scroll)); err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
			}
		}
		those := []comparison{{ours, ssh}, {accelerated, ssh}}
		t.fillHead(ways, those...)
		t.add(append(cells(s.String()+", start", start, ways), ratios(start, those)...)...)
		t.add(append(cells("… Page Down", scroll, ways), ratios(scroll, those)...)...)
		return nil
	})
	return t.String(), err
}

func (l *lab) scrollOver(ctx context.Context, w *way, s setting, start, scroll map[string]sample) error {
	ctx, cancel := context.WithTimeout(ctx, 3*limit)
	defer cancel()
	if _, err := w.shell.run(ctx, newProfile); err != nil {
		return err
	}
	begin := time.Now()
	if err := w.shell.begin("setsid " + firefox + "file://" + pageFolder + "/index.html </dev/null >/dev/null 2>&1 & pid=$!"); err != nil {
		return err
	}
	window, _, err := l.screen.appeared(ctx)
	if err != nil {
		return err
	}
	reader, err := l.reader(ctx, window)
	if err != nil {
		return err
	}
	defer reader.close()
	// Starting, it thinks longer between two changes.
	drawn, err := reader.settled(ctx, 2*time.Second+4*s.rtt)
	if err != nil {
		return err
	}
	start[w.name] = append(start[w.name], milliseconds(drawn.Sub(begin)))
	for range scrolls {
		begin := time.Now()
		if err := reader.keyboard.Press(keyPage); err != nil {
			return err
		}
		drawn, err := reader.settled(ctx, 300*time.Millisecond+4*s.rtt)
		if err != nil {
			return err
		}
		scroll[w.name] = append(scroll[w.name], milliseconds(drawn.Sub(begin)))
	}
	if _, err := w.shell.run(ctx, endSession); err != nil {
		return err
	}
	return l.screen.empty(ctx)
}

// reader is a typist who sees a window's changes.
type reader struct {
	*typist
	changes chan time.Time
	done    chan struct{}
}

func (l *lab) reader(ctx context.Context, window uint32) (*reader, error) {
	t, err := l.typist(ctx, window)
	if err != nil {
		return nil, err
	}
	code, err := t.conn.WatchDamage(window)
	if err == nil {
		err = t.conn.RoundTrip()
	}
	if err != nil {
		return nil, errors.Join(err, t.conn.Close())
	}
	r := &reader{typist: t, changes: make(chan time.Time, 1<<16), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer close(r.changes)
		for {
			event, err := t.conn.Event()
			if x, ok := err.(*xclient.Error); ok && x != nil {
				continue // the window has gone meanwhile
			}
			if err != nil {
				return
			}
			if x11.Kind(event) == code {
				r.changes <- time.Now()
			}
		}
	}()
	return r, nil
}

func (r *reader) close() {
	r.conn.Close()
	for range r.changes { // what nobody has looked at
	}
	<-r.done
}

// settled waits for a change, and then until there was none for a while. It returns
// when the last one was.
func (r *reader) settled(ctx context.Context, while time.Duration) (last time.Time, err error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case at, ok := <-r.changes:
			if !ok {
				return last, errors.New("the display has gone")
			}
			last = at
			timer.Reset(while)
		case <-timer.C:
			if last.IsZero() {
				return last, errors.New("nothing has changed on the screen")
			}
			return last, nil
		case <-ctx.Done():
			return last, fmt.Errorf("the window changes all the time: %w", context.Cause(ctx))
		}
	}
}

// writePage puts a page on both machines: a long text with a photo now and then.
func (l *lab) writePage(ctx context.Context) error {
	const photos = 4
	files := map[string][]byte{"index.html": page(photos)}
	for i := range photos {
		var file bytes.Buffer
		picture := &image.NRGBA{Pix: photo(drawHeight, i), Stride: 4 * drawWidth, Rect: image.Rect(0, 0, drawWidth, drawHeight)}
		for at := 3; at < len(picture.Pix); at += 4 {
			picture.Pix[at] = 0xff
		}
		if err := png.Encode(&file, picture); err != nil {
			return err
		}
		files[strconv.Itoa(i)+".png"] = file.Bytes()
	}
	for _, m := range []*testbed.Machine{l.Client, l.Server} {
		if _, err := m.Output(ctx, "mkdir", "-p", pageFolder); err != nil {
			return err
		}
		for name, data := range files {
			if err := m.WriteFile(pageFolder+"/"+name, data, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// page is a page of twenty screens or so, the same each time.
func page(photos int) []byte {
	r := rand.New(rand.NewPCG(5, 5))
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><meta charset=utf-8><title>A page</title><body style='font: 16px serif; margin: 2em 6em'>\n")
	for paragraph := range 120 {
		if paragraph%5 == 0 {
			fmt.Fprintf(&b, "<h2 style='color: #%06x'>Part %d</h2>\n", r.IntN(1<<23), paragraph/5+1)
		}
		if paragraph%15 == 7 {
			fmt.Fprintf(&b, "<img src=%d.png width=400 height=300>\n", paragraph/15%photos)
		}
		fmt.Fprintf(&b, "<p>%s.\n", strings.Join(words(r, 60+r.IntN(60)), " "))
	}
	return b.Bytes()
}

// words are made of syllables.
func words(r *rand.Rand, n int) (all []string) {
	syllables := strings.Fields("ra men to li ka so der ing un ver a e ship lo ti na")
	for range n {
		word := ""
		for range 1 + r.IntN(4) {
			word += syllables[r.IntN(len(syllables))]
		}
		all = append(all, word)
	}
	return all
}
