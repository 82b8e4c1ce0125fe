package xproxy

import (
	"context"
	"io"
	"iter"

	"goldm/internal/x11"
)

// What programs say to extensions first is said once at the session's start, by programs of our
// own that live no longer than that: the reply to a version hangs on what the same program said
// before, so each of them says one.

// saying is a request to an extension, as libraries send it.
type saying struct {
	extension string
	minor     byte
	bodies    []string // in scoutOrder, each for another program
	rooted    bool     // a root window comes before that
}

// rehearsals returns what each of our programs says.
func (s *server) rehearsals() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range maxBodies {
			var said []byte
			for _, k := range knownSayings {
				if major := s.majors[k.extension]; major != 0 && i < len(k.bodies) {
					said = s.appendSaying(said, major, k, i)
				}
			}
			if !yield(x11.AppendRequest(said, scoutOrder, getInputFocus, 0)) {
				return
			}
		}
	}
}

func (s *server) appendSaying(b []byte, major byte, k saying, i int) []byte {
	if !k.rooted {
		return appendBody(append(b, major, k.minor), k.bodies[i])
	}
	for root := range s.roots {
		place := string(scoutOrder.AppendUint32(nil, root))
		b = appendBody(append(b, major, k.minor), place+k.bodies[i])
	}
	return b
}

// appendBody appends what follows the opcodes of a request.
func appendBody(b []byte, body string) []byte {
	return append(scoutOrder.AppendUint16(b, uint16(1+len(body)/4)), body...)
}

// watchedRehearsal returns what a program of ours asks once there is somebody to tell of changes: what
// Xlib and toolkits want to know of that.
func (c *constants) watchedRehearsal() []byte {
	s := c.server
	var said []byte
	for _, k := range knownSayings {
		if _, introduces := s.greetings[s.majors[k.extension]][k.minor]; introduces {
			said = s.appendSaying(said, s.majors[k.extension], k, 0)
		}
	}
	said = append(x11.AppendRequest(said, scoutOrder, getModifierMapping, 0), getKeyboardMapping, 0, 2, 0, firstKey, allKeys, 0, 0)
	for _, name := range watchedSelections {
		said = appendUnits(said, getSelectionOwner, 0, c.atom(name))
	}
	for root := range s.roots {
		said = appendUnits(said, getProperty, 0, root, resourceManager, typeString, 0, allResources)
		said = appendUnits(said, getProperty, 0, root, c.atom("_NET_SUPPORTING_WM_CHECK"), typeWindow, 0, 1<<32-1)
		if s.randr != 0 {
			said = appendUnits(said, s.randr, 42, root, 1) // GetMonitors
		}
	}
	if render := s.majors["RENDER"]; render != 0 {
		said = x11.AppendRequest(said, scoutOrder, render, 1) // QueryPictFormats
	}
	if s.xkb != 0 {
		for _, parts := range []uint32{0x07, 0x47} {
			said = appendUnits(said, s.xkb, 8, coreKeyboard|parts<<16, 0, 0, 0, 0, 0) // GetMap
		}
		said = appendUnits(said, s.xkb, 17, c.watched.keyboardNumber(), 0x1800) // GetNames
	}
	return x11.AppendRequest(said, scoutOrder, getInputFocus, 0)
}

// What Xlib asks for: all keys, and all of RESOURCE_MANAGER.
const (
	firstKey, allKeys = 8, 248
	resourceManager   = 23
	typeString        = 31
	typeWindow        = 33
	allResources      = 100_000_000
)

// appendUnits appends a request whose body is of four-byte units.
func appendUnits(b []byte, major, minor byte, units ...uint32) []byte {
	b = scoutOrder.AppendUint16(append(b, major, minor), uint16(1+len(units)))
	for _, unit := range units {
		b = scoutOrder.AppendUint32(b, unit)
	}
	return b
}

// rehearse says what a program says, and keeps what it learns.
func (f *far) rehearse(ctx context.Context, c *constants, said []byte) {
	stream, err := f.conn.Open()
	if err != nil {
		return // the connection has ended
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	if err := converse(stream, f.config.Offer.Cookie, c, said); err != nil && ctx.Err() == nil {
		f.config.Log.Warn("X11: less is answered on this side", "err", err)
	}
}

// converse is a program that says something, and hears the answers up to the last one.
func converse(rw io.ReadWriter, cookie []byte, c *constants, said []byte) error {
	p := newProgram(scoutOrder, c)
	p.gone = true // nobody reads what it hears
	defer p.ledger.left()
	r := requests{program: p}
	out, _ := r.edit(scoutSetup(cookie), said)
	if _, err := rw.Write(out); err != nil {
		return err
	}
	a := newAnswers(p)
	buf := make([]byte, bufferSize)
	have := 0
	for p.ledger.heard < p.ledger.sequence {
		n, err := rw.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		done, err := a.take(buf[:have])
		if err != nil {
			return err
		}
		have = copy(buf, buf[done:have])
	}
	return nil
}
