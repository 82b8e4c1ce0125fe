package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"goldm/internal/x11"
	"goldm/test/bench/xclient"
)

const keyA = 38 // of the letter, on the keyboard that Xvfb pretends to have

// measureTyping presses keys, and waits until their letters are drawn, in
// silence and while a picture comes over the same way.
func (l *lab) measureTyping(ctx context.Context) (string, error) {
	t := table{title: "Milliseconds from a key to its letter: the median, the least and the most of " + strconv.Itoa(4*l.runs) +
		" keys, in silence and while another program draws photos as fast as it can.", head: []string{"ms"}}
	err := l.overLinks(ctx, l.or(300*time.Microsecond, 20*time.Millisecond), nil, func(s setting, ways []*way) error {
		quiet, busy := make(map[string]sample), make(map[string]sample)
		for range l.runs {
			for _, w := range alive(ways) {
				if err := w.failed(l.typeOver(ctx, w, quiet, busy)); err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
			}
		}
		t.fillHead(ways, faster...)
		t.add(append(cells(s.String(), quiet, ways), ratios(quiet, faster)...)...)
		t.add(append(cells("… beside photos", busy, ways), ratios(busy, faster)...)...)
		return nil
	})
	return t.String(), err
}

func (l *lab) typeOver(ctx context.Context, w *way, quiet, busy map[string]sample) error {
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	if err := w.shell.begin(self + " echo & echo=$!"); err != nil {
		return err
	}
	window, _, err := l.screen.appeared(ctx)
	if err != nil {
		return err
	}
	typist, err := l.typist(ctx, window)
	if err != nil {
		return err
	}
	defer typist.conn.Close()
	if err := typist.keys(quiet, w.name); err != nil {
		return err
	}
	if err := w.shell.begin(self + " draw photo 100000 >/dev/null & draw=$!"); err != nil {
		return err
	}
	if err := l.screen.wait(ctx, "no second window", func(shown map[uint32]time.Time) bool { return len(shown) == 2 }); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // until the way is full
	if err := typist.keys(busy, w.name); err != nil {
		return err
	}
	if _, err := w.shell.run(ctx, "kill $draw $echo; wait $draw $echo 2>/dev/null"); err != nil {
		return err
	}
	return l.screen.empty(ctx)
}

// typist presses keys at the client and sees what comes of it.
type typist struct {
	conn     *xclient.Conn
	keyboard *xclient.Keyboard
}

func (l *lab) typist(ctx context.Context, window uint32) (*typist, error) {
	conn, err := l.Client.Dial(ctx, "unix", socketOf(display))
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(3 * limit)); err != nil {
		return nil, err
	}
	c, err := xclient.New(conn, "", nil)
	if err != nil {
		return nil, err
	}
	t := &typist{conn: c}
	if t.keyboard, err = c.Keyboard(); err == nil {
		err = c.Listen(window, xclient.PropertyChangeMask)
	}
	if err == nil {
		err = c.Focus(window)
	}
	if err == nil {
		err = c.RoundTrip()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// keys presses four keys, each after the letter of the one before.
func (t *typist) keys(into map[string]sample, name string) error {
	for range 4 {
		begin := time.Now()
		if err := t.keyboard.Press(keyA); err != nil {
			return err
		}
		for {
			event, err := t.conn.Event()
			if err != nil {
				return err
			}
			if x11.Kind(event) == xclient.PropertyNotify {
				break
			}
		}
		into[name] = append(into[name], milliseconds(time.Since(begin)))
	}
	return nil
}
