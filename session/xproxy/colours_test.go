package xproxy

import (
	"net"
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// What follows from a colormap's ramp is what the X server says itself.
func TestColours(t *testing.T) {
	server := xtest.Start(t, "-screen", "0", "640x480x24")
	conn, err := net.Dial("unix", server.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := explore(conn, conn, server.Cookie, newWatched(unheard))
	if err == nil {
		err = c.learnColours(conn, conn)
	}
	if err != nil {
		t.Fatal(err)
	}
	x := dial(t, server.Path(), server.Cookie, x11.BigEndian)
	colours := c.colours[x.colormap()]
	if colours == nil {
		t.Fatalf("no colours of %v", c.server.colormaps)
	}
	for i := range 1 << 12 {
		alloc := x.request(allocColor, 0, x.colormap(), i<<4, i<<4|9, 1<<16-1-i, 0)
		x.send(alloc)
		if got, want := colours.alloc(x.order, alloc), x.next(); !sameReply(got, want) {
			t.Fatalf("%x: %x, want %x", alloc, got, want)
		}
	}
}

const freeColors = 88

// Colours that the far half has said to be there can be freed, as often as the program has asked for them.
func TestColoursFreed(t *testing.T) {
	server := xtest.Start(t, "-screen", "0", "640x480x24")
	path := startPair(t, server, false)
	for i := range 6 {
		w := newWitness(t, path, server.Cookie, []x11.Order{x11.LittleEndian, x11.BigEndian}[i%2])
		alloc := w.request(allocColor, 0, w.colormap(), 0xffff, 0, 0, 0)
		named := w.request(allocNamedColor, 0, w.colormap(), 3, 0, "red")
		for _, request := range [][]byte{alloc, named, alloc, named} {
			w.ask(request)
		}
		free := w.request(freeColors, 0, w.colormap(), uint32(0), uint32(0xff0000))
		for range 4 {
			w.send(free)
			w.asked++
			if got := w.ask(alloc); x11.Kind(got) != x11.Reply {
				t.Fatalf("%x", got)
			}
			w.send(free)
			w.send(w.request(getInputFocus, 0))
			w.asked += 2
			if all := w.until(w.asked); len(all) != 1 {
				t.Fatalf("a colour of the program's: %x", all)
			}
		}
		w.send(free)
		w.send(w.request(getInputFocus, 0))
		w.asked += 2
		if all := w.until(w.asked); len(all) != 2 || x11.Kind(all[0]) != x11.Error {
			t.Errorf("one that it has not got: %x", all)
		}
	}
}

// Colours that an X server makes otherwise are not told for it.
func TestOtherColours(t *testing.T) {
	v, o := visual{0xff0000, 0xff00, 0xff}, x11.LittleEndian
	requests := v.probe(o, 1)
	ramp := make([]byte, x11.AnswerHead+8*maxLevels)
	ramp[0] = x11.Reply
	o.PutUint32(ramp[4:], 2*maxLevels)
	o.PutUint16(ramp[8:], maxLevels)
	for i := range maxLevels {
		for channel := range 3 {
			o.PutUint16(ramp[x11.AnswerHead+8*i+2*channel:], uint16(i*257))
		}
	}
	replies := [][]byte{ramp}
	for _, r := range requests[1:] {
		replies = append(replies, newColours(o, v, ramp).alloc(o, r))
	}
	if v.learn(o, requests, replies) == nil {
		t.Fatal("what fits is not learned")
	}
	for i := range replies {
		replies[i][len(replies[i])-16] ^= 1
		if v.learn(o, requests, replies) != nil {
			t.Fatalf("reply %d may be any", i)
		}
		replies[i][len(replies[i])-16] ^= 1
	}
}

// Visuals that make no sense have no colours.
func TestOddVisuals(t *testing.T) {
	for _, v := range []visual{
		{}, {0xff0000, 0xff00, 0}, {0xff0000, 0xff00, 0xff00}, {0xff0000, 0xff00, 0xf5}, {0xffff0000, 0xff00, 0xff}, {^uint32(0), 1, 2},
	} {
		if v.probe(x11.LittleEndian, 1) != nil || newColours(x11.LittleEndian, v, make([]byte, 4096)) != nil {
			t.Errorf("%x has colours", v)
		}
	}
}
