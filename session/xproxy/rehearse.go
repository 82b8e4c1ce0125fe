package xproxy

import (
	"context"
	"io"
	"iter"
	"slices"

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
			if !yield(said) {
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

// rehearse says what a program says, and keeps what it learns.
func (f *far) rehearse(ctx context.Context, c *constants, said []byte) {
	stream, err := f.conn.Open()
	if err != nil {
		return // the connection has ended
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	s := newSpeaker(stream, f.config.Offer.Cookie, c)
	defer s.end()
	if err := s.say(said); err != nil && ctx.Err() == nil {
		f.config.Log.Warn("X11: less is answered on this side", "err", err)
	}
}

// speaker is a program of our own that says what programs say; what it hears is kept for them.
type speaker struct {
	rw       io.ReadWriter
	setup    []byte // still to be sent
	program  *program
	requests requests
	answers  *answers
	buf      []byte
	have     int
}

func newSpeaker(rw io.ReadWriter, cookie []byte, c *constants) *speaker {
	p := newProgram(scoutOrder, c)
	p.gone = true // nobody reads what it hears
	p.ledger.view.ours = true
	return &speaker{
		rw: rw, setup: scoutSetup(cookie), program: p, requests: requests{program: p}, answers: newAnswers(p), buf: make([]byte, bufferSize),
	}
}

// say says something, and hears all answers. It says no more at a time than the ledger keeps in mind.
func (s *speaker) say(said []byte) error {
	for {
		piece := firstRequests(said, maxExpected/2)
		if err := s.sayAtOnce(piece); err != nil {
			return err
		}
		if said = said[len(piece):]; len(said) == 0 {
			return nil
		}
	}
}

// firstRequests returns the first n of requests, or all.
func firstRequests(requests []byte, n int) []byte {
	end := 0
	for ; n > 0 && end < len(requests); n-- {
		r, ok := x11.ParseRequest(scoutOrder, requests[end:], false)
		if !ok || r.Size < 4 || r.Size > int64(len(requests)-end) {
			return requests
		}
		end += int(r.Size)
	}
	return requests[:end]
}

func (s *speaker) sayAtOnce(said []byte) error {
	said = x11.AppendRequest(slices.Clip(said), scoutOrder, getInputFocus, 0)
	out, _ := s.requests.edit(s.setup, said)
	s.setup = nil
	if _, err := s.rw.Write(out); err != nil {
		return err
	}
	for ledger := &s.program.ledger; ledger.heard < ledger.sequence; {
		n, err := s.rw.Read(s.buf[s.have:])
		if err != nil {
			return err
		}
		s.have += n
		done, err := s.answers.take(s.buf[:s.have])
		if err != nil {
			return err
		}
		s.have = copy(s.buf, s.buf[done:s.have])
	}
	return nil
}

// end says that it has gone.
func (s *speaker) end() { s.program.ledger.left() }

// appendUnits appends a request whose body is of four-byte units.
func appendUnits(b []byte, major, minor byte, units ...uint32) []byte {
	b = scoutOrder.AppendUint16(append(b, major, minor), uint16(1+len(units)))
	for _, unit := range units {
		b = scoutOrder.AppendUint32(b, unit)
	}
	return b
}
