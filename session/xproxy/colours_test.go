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
