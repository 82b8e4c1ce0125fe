package xproxy

import (
	"sync"
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// Events that others cause while requests are answered here: no sequence number goes
// back, and none is ahead of what was asked.
func TestEventsInOrder(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	a := dial(t, path, server.Cookie, x11.LittleEndian)
	window := a.base() + 1
	const propertyChange = 1 << 22
	a.send(a.request(1, 0, window, a.root(), 0, 0, 9, 9, 0, 0, uint32(0), uint32(1<<11), uint32(propertyChange)))
	a.send(a.request(getInputFocus, 0))
	a.until(2)

	stop := make(chan struct{})
	var disturber sync.WaitGroup
	disturber.Go(func() {
		b := dial(t, path, server.Cookie, x11.BigEndian)
		for n := 1; ; n += 2 {
			b.send(b.request(18, 0, window, uint32(39), uint32(31), byte(8), byte(0), 0, uint32(0))) // ChangeProperty
			b.send(b.request(getInputFocus, 0))
			b.until(n + 1)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	defer disturber.Wait()
	defer close(stop)
	last, events, sequence := 2, 0, 2
	for events < 500 || sequence < 40_000 {
		for range 20 {
			a.send(a.request(internAtom, 0, 11, 0, "WM_PROTOCOLS"[:11]))
			sequence++
			if sequence%1000 == 0 {
				a.send(a.request(getInputFocus, 0))
				sequence++
			}
		}
		for _, m := range a.until(sequence) {
			if x11.Kind(m) > x11.Reply {
				events++
			}
			s := last + int(x11.Sequence(a.order, m)-uint16(last))
			if s > sequence {
				t.Fatalf("message of kind %d for request %d follows %d; %d were sent", m[0], x11.Sequence(a.order, m), last, sequence)
			}
			last = s
		}
	}
}

// A reply that is a constant does not go before the error of a request that is.
func TestErrorFirst(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	for _, o := range []x11.Order{x11.LittleEndian, x11.BigEndian} {
		c := dial(t, path, server.Cookie, o)
		c.send(append(c.request(8, 0, uint32(1)), c.request(x11.QueryExtension, 0, 6, 0, "RENDER")...)) // MapWindow
		if all := c.until(2); len(all) != 2 || x11.Kind(all[0]) != x11.Error {
			t.Errorf("got %x", all)
		}
	}
}
