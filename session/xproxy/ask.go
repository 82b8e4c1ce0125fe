package xproxy

import (
	"context"
	"io"

	"goldm/internal/x11"
)

// The asker is a program of our own that asks what programs want to know of what changes, once there
// is somebody to tell of changes, and again what has changed when a program comes: that one waits for the
// X server's answer to its setup meanwhile.

// asker runs until ctx is done, or the connection has ended.
func (f *far) asker(ctx context.Context, c *constants, things things) {
	stream, err := f.conn.Open()
	if err != nil {
		return
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	s := newSpeaker(stream, f.config.Offer.Cookie, c)
	defer s.end()
	if err := f.ask(ctx, c, s, things); err != nil && ctx.Err() == nil {
		f.config.Log.Warn("X11: less is answered on this side", "err", err)
	}
}

func (f *far) ask(ctx context.Context, c *constants, s *speaker, things things) error {
	select {
	case <-f.watched.ready:
	case <-ctx.Done():
		return nil
	}
	f.watched.coming() // replies are told before the first program comes
	if err := s.say(append(c.server.greet(), c.server.asks(c, things)...)); err != nil {
		return err
	}
	for {
		if said := c.listedProperties(); len(said) > 0 {
			if err := s.say(said); err != nil {
				return err
			}
		}
		select {
		case <-f.arrivals:
		case <-ctx.Done():
			return nil
		}
		if err := s.say(c.outdated(&s.program.ledger)); err != nil {
			return err
		}
	}
}

// arrive notes that a program comes.
func (f *far) arrive() {
	if f.constants != nil {
		f.watched.coming()
	}
	select {
	case f.arrivals <- struct{}{}:
	default: // the asker is going to ask
	}
}

// greet returns what a program says to extensions first.
func (s *server) greet() (said []byte) {
	for _, k := range knownSayings {
		if _, introduces := s.greetings[s.majors[k.extension]][k.minor]; introduces {
			said = s.appendSaying(said, s.majors[k.extension], k, 0)
		}
	}
	return said
}

// asks returns what Xlib and toolkits want to know.
func (s *server) asks(c *constants, t things) []byte {
	said := append(x11.AppendRequest(nil, scoutOrder, getModifierMapping, 0), getKeyboardMapping, 0, 2, 0, firstKey, allKeys, 0, 0)
	for _, name := range watchedSelections {
		said = appendUnits(said, getSelectionOwner, 0, c.atom(name))
	}
	for root := range s.roots {
		said = appendUnits(said, listProperties, 0, root)
		said = appendUnits(said, getGeometry, 0, root)
	}
	said = appendUnits(said, getWindowAttributes, 0, 0) // as libraries do, of a window that they have not found
	said = appendUnits(said, getGeometry, 0, 0)
	if render := s.majors["RENDER"]; render != 0 {
		said = x11.AppendRequest(said, scoutOrder, render, 1) // QueryPictFormats
	}
	if s.xkb != 0 {
		said = s.appendKeyboard(said, c.watched.keyboardNumber())
	}
	return t.append(said, s)
}

// appendKeyboard asks for what Xlib, GTK and xkbcommon want to know of the core keyboard.
func (s *server) appendKeyboard(said []byte, keyboard uint32) []byte {
	for _, parts := range []uint32{0x07, 0x47, 0x40} {
		said = appendUnits(said, s.xkb, 8, coreKeyboard|parts<<16, 0, 0, 0, 0, 0) // GetMap
	}
	said = appendUnits(said, s.xkb, 8, keyboard|0xdf<<16, 0, 0, 0, 0, 0)
	for _, which := range []uint32{0x1800, 0x1ff5} {
		said = appendUnits(said, s.xkb, 17, keyboard, which) // GetNames
	}
	said = appendUnits(said, s.xkb, 17, coreKeyboard, 0x800)
	said = appendUnits(said, s.xkb, 13, keyboard, 1<<32-1) // GetIndicatorMap
	said = appendUnits(said, s.xkb, 10, keyboard|1<<24, 0) // GetCompatMap: all
	said = appendUnits(said, s.xkb, 6, keyboard)           // GetControls
	return appendUnits(said, s.xkb, xkbGetDeviceInfo, coreKeyboard, 0, 0)
}

// What Xlib asks for: all keys.
const firstKey, allKeys = 8, 248

// things are numbers of what an X server has.
type things struct {
	devices    []uint32
	outputs    []uint32
	crtcs      []uint32
	configured uint32 // when outputs and crtcs were: a timestamp that requests about them want to see
}

// maxThings bounds each list of things.
const maxThings = 64

// append asks for what toolkits want to know of things.
func (t things) append(said []byte, s *server) []byte {
	for _, device := range t.devices {
		said = appendUnits(said, s.xi, xiListProperties, device)
	}
	if s.randr == 0 {
		return said
	}
	for root := range s.roots {
		said = appendUnits(said, s.randr, 42, root, 1) // GetMonitors
		said = appendUnits(said, s.randr, 31, root)    // GetOutputPrimary
	}
	for _, output := range t.outputs {
		said = appendUnits(said, s.randr, 9, output, t.configured) // GetOutputInfo
		said = appendUnits(said, s.randr, randrListOutputProperties, output)
	}
	for _, crtc := range t.crtcs {
		said = appendUnits(said, s.randr, 20, crtc, t.configured) // GetCrtcInfo
	}
	return said
}

// lookAround asks what things there are.
func (s *server) lookAround(out io.Writer, in io.Reader) (t things, err error) {
	var requests []byte
	n := 0
	if s.randr != 0 {
		for root := range s.roots {
			requests = appendUnits(requests, s.randr, randrGetScreenResourcesCurrent, root)
			n++
		}
	}
	if s.xi != 0 {
		requests = appendUnits(requests, s.xi, xiQueryDevice, allDevices)
	}
	if _, err := out.Write(requests); err != nil {
		return t, err
	}
	for range n {
		reply, err := readReply(in)
		if err != nil {
			return t, err
		}
		t.readResources(reply)
	}
	if s.xi == 0 {
		return t, nil
	}
	reply, err := readReply(in)
	if err == nil {
		t.readDevices(reply)
	}
	return t, err
}

// readResources reads the reply to a RRGetScreenResourcesCurrent (randrproto, appendix A).
func (t *things) readResources(reply []byte) {
	t.configured = scoutOrder.Uint32(reply[12:])
	numbers := func(n int, rest []byte) (all []uint32, after []byte) {
		for ; n > 0 && len(rest) >= 4; n, rest = n-1, rest[4:] {
			if len(all) < maxThings {
				all = append(all, scoutOrder.Uint32(rest))
			}
		}
		return all, rest
	}
	crtcs, rest := numbers(int(scoutOrder.Uint16(reply[16:])), reply[x11.AnswerHead:])
	outputs, _ := numbers(int(scoutOrder.Uint16(reply[18:])), rest)
	t.crtcs, t.outputs = append(t.crtcs, crtcs...), append(t.outputs, outputs...)
}

// readDevices notes which devices the reply to an XIQueryDevice has.
func (t *things) readDevices(reply []byte) {
	readDevices(reply, func(device uint16) {
		if len(t.devices) < maxThings {
			t.devices = append(t.devices, uint32(device))
		}
	}, func(uint16) {})
}

// readDevices reads the reply to an XIQueryDevice (XI2proto, section 6): a device has a name and classes, each of
// which says what it is and how long. It reports whether all are there.
func readDevices(reply []byte, device, class func(uint16)) bool {
	rest := reply[x11.AnswerHead:]
	for range int(scoutOrder.Uint16(reply[8:])) {
		if len(rest) < 12 {
			return false
		}
		device(scoutOrder.Uint16(rest))
		classes := int(scoutOrder.Uint16(rest[6:]))
		rest = rest[min(len(rest), 12+x11.Pad(int(scoutOrder.Uint16(rest[8:])))):]
		for range classes {
			if len(rest) < 4 {
				return false
			}
			class(scoutOrder.Uint16(rest))
			rest = rest[min(len(rest), max(4, 4*int(scoutOrder.Uint16(rest[2:])))):]
		}
	}
	return true
}
