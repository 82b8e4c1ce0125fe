package xproxy

import (
	"testing"

	"goldm/internal/x11"
)

const ownBase, ownMask = 0x200000, 0x1fffff

// newOwner is a program of a server that has told it its numbers, and whose XFIXES it has greeted.
func newOwner(t *testing.T, c *constants, base uint32) *script {
	s := newScript(t)
	if c != nil {
		s.p.ledger.constants, s.p.ledger.own = c, newBelongings(c.touched)
	}
	s.p.ledger.own.ids = ids{base: base, mask: ownMask}
	s.say(s.request(s.xfixes(), 0, uint32(5), uint32(0)))
	s.hear(s.message(x11.Reply, 0, 1))
	return s
}

func (s *script) xfixes() byte { return s.p.ledger.constants.server.xfixes }

// answers reports whether an atom is told at once.
func (s *script) answersAtom() bool {
	return s.say(s.request(internAtom, 0, 4, 0, "ATOM")) == x11.AnswerHead
}

// settle has the server deal with all so far.
func (s *script) settle() {
	s.say(s.request(getInputFocus, 0))
	s.hear(s.message(x11.Reply, 0, uint16(s.p.ledger.sequence)))
}

// A program that wants to hear of a selection in a window that it has made is answered on, unless that may be wrong.
func TestHearingOfSelections(t *testing.T) {
	const window, other = ownBase + 1, ownBase + 1<<21 + 1
	for name, test := range map[string]struct {
		before        func(s, stranger *script)
		window, event uint32
		atom          uint32
		wants         bool
	}{
		"own":       {window: window, atom: 99, event: 7, wants: true},
		"root":      {window: 7, atom: 99, event: 7, wants: true},
		"no window": {window: window + 1, atom: 99, event: 7},
		"no atom":   {window: window, atom: 98, event: 7},
		"no event":  {window: window, atom: 99, event: 8},
		"not known to be there": {window: window + 2, atom: 99, event: 7, before: func(s, _ *script) {
			s.say(s.request(createWindow, 0, uint32(window+2), uint32(7)))
		}},
		"not made": {window: window + 2, atom: 99, event: 7, before: func(s, _ *script) {
			s.say(s.request(createWindow, 0, uint32(window+2), uint32(7)))
			s.hear(s.message(x11.Error, 2, uint16(s.p.ledger.sequence)))
		}},
		"child": {window: window + 2, atom: 99, event: 7, before: func(s, _ *script) {
			s.say(s.request(createWindow, 0, uint32(window+2), uint32(window)))
			s.settle()
		}},
		"destroyed": {window: window, atom: 99, event: 7, before: func(s, _ *script) {
			s.say(s.request(destroyWindow, 0, uint32(window)))
			s.settle()
		}},
		"destroyed by another": {window: window, atom: 99, event: 7, before: func(_, stranger *script) {
			stranger.say(stranger.request(destroyWindow, 0, uint32(window)))
		}},
		"put into another's": {window: window, atom: 99, event: 7, before: func(_, stranger *script) {
			stranger.say(stranger.request(reparentWindow, 0, uint32(window), uint32(other), 0, 0))
		}},
		"with all of the root's": {window: window, atom: 99, event: 7, before: func(_, stranger *script) {
			stranger.say(stranger.request(destroySubwindows, 0, uint32(7)))
		}},
		"killed": {window: window, atom: 99, event: 7, before: func(_, stranger *script) {
			stranger.say(stranger.request(killClient, 0, uint32(window)))
		}},
		"another's is": {window: window, atom: 99, event: 7, wants: true, before: func(_, stranger *script) {
			stranger.say(stranger.request(destroyWindow, 0, uint32(other)))
			stranger.say(stranger.request(destroyWindow, 0, uint32(window+9)))
		}},
		"a second time": {window: window, atom: 99, event: 7, before: func(s, _ *script) {
			s.say(s.request(s.xfixes(), xfixesSelectSelectionInput, uint32(window), uint32(99), uint32(1)))
			s.settle()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newOwner(t, nil, ownBase)
			stranger := newOwner(t, s.p.ledger.constants, ownBase+1<<21)
			s.say(s.request(createWindow, 0, uint32(window), uint32(7)))
			s.settle()
			if test.before != nil {
				test.before(s, stranger)
			}
			s.say(s.request(s.xfixes(), xfixesSelectSelectionInput, test.window, test.atom, test.event))
			if got := s.answersAtom(); got != test.wants {
				t.Errorf("answered is %t", got)
			}
		})
	}
}

// XFIXES knows no selections for who has said nothing about a version, or the first, or has made a mistake with it.
func TestHearingUngreeted(t *testing.T) {
	for name, test := range map[string]struct {
		version []any
		wants   bool
	}{
		"none":      {[]any{uint32(0), uint32(0)}, false},
		"1.0":       {[]any{uint32(1), uint32(0)}, true},
		"too short": {[]any{uint32(1)}, false},
		"too long":  {[]any{uint32(1), uint32(0), uint32(0)}, false},
	} {
		s := newScript(t)
		s.say(s.request(s.xfixes(), 0, test.version...))
		s.settle()
		s.say(s.request(s.xfixes(), xfixesSelectSelectionInput, uint32(7), uint32(99), uint32(7)))
		if got := s.answersAtom(); got != test.wants {
			t.Errorf("%s: answered is %t", name, got)
		}
	}
}

// The first graphics context of a program is there until somebody frees it.
func TestFreeGC(t *testing.T) {
	const gc = ownBase + 1
	for name, test := range map[string]struct {
		say   func(s, stranger *script)
		wants bool
	}{
		"own":      {func(s, _ *script) { s.say(s.request(freeGC, 0, uint32(gc))) }, true},
		"no GC":    {func(s, _ *script) { s.say(s.request(freeGC, 0, uint32(gc+1))) }, false},
		"none":     {func(s, _ *script) { s.say(s.request(freeGC, 0, uint32(0))) }, false},
		"too long": {func(s, _ *script) { s.say(s.request(freeGC, 0, uint32(gc), uint32(0))) }, false},
		"again": {func(s, _ *script) {
			s.say(s.request(freeGC, 0, uint32(gc)))
			s.say(s.request(freeGC, 0, uint32(gc)))
		}, false},
		"freed by another": {func(s, stranger *script) {
			stranger.say(stranger.request(freeGC, 0, uint32(gc)))
			s.say(s.request(freeGC, 0, uint32(gc)))
		}, false},
	} {
		s := newOwner(t, nil, ownBase)
		stranger := newOwner(t, s.p.ledger.constants, ownBase+1<<21)
		s.p.ledger.makes = false // but for the version
		s.say(s.request(createGC, 0, uint32(gc), uint32(7), uint32(0)))
		test.say(s, stranger)
		if got := s.answersAtom(); got != test.wants {
			t.Errorf("%s: answered is %t", name, got)
		}
	}
}

// A program may ask for more and more events of the keyboard, but not for others instead.
func TestMoreOfTheKeyboard(t *testing.T) {
	for name, test := range map[string]struct {
		fields []any
		wants  bool
	}{
		"details":          {[]any{coreKeyboard, 1, 0, 0, 0, 0, 5, 5}, true},
		"a map's":          {[]any{coreKeyboard, 2, 0, 0, 7, 7}, true},
		"all":              {[]any{coreKeyboard, 1, 0, 1, 0, 0}, true},
		"none":             {[]any{coreKeyboard, 1, 1, 0, 0, 0}, false},
		"fewer details":    {[]any{coreKeyboard, 1, 0, 0, 0, 0, 5, 4}, false},
		"fewer of a map's": {[]any{coreKeyboard, 2, 0, 0, 7, 3}, false},
		"of one byte":      {[]any{coreKeyboard, 1 << 8, 0, 0, 0, 0, byte(1), byte(1), 0}, true},
		"fewer of one":     {[]any{coreKeyboard, 1 << 8, 0, 0, 0, 0, byte(1), byte(0), 0}, false},
		"too short":        {[]any{coreKeyboard, 1, 0, 0, 0, 0}, false},
		"too long":         {[]any{coreKeyboard, 1, 0, 0, 0, 0, 5, 5, 5, 5}, false},
		"another keyboard": {[]any{9, 1, 0, 0, 0, 0, 5, 5}, false},
	} {
		s := newOwner(t, nil, ownBase)
		c := s.p.ledger.constants
		said := s.request(c.server.xkb, 1, test.fields...)
		s.say(s.request(c.server.xkb, 1, coreKeyboard, 1, 0, 1, 0, 0)) // the first
		s.settle()
		c.put(string(x11.LittleEndian)+string(said), []byte{}) // it went well for somebody
		s.say(said)
		if got := s.answersAtom(); got != test.wants {
			t.Errorf("%s: answered is %t", name, got)
		}
	}
}

// What is asked about window 0 fails, always in the same way.
func TestWindowZero(t *testing.T) {
	a := startAsking(t)
	for _, request := range [][]byte{a.request(getWindowAttributes, 0, uint32(0)), a.request(getGeometry, 0, uint32(0))} {
		r, _ := x11.ParseRequest(scoutOrder, request, false)
		got := a.constants.get(a.constants.server.key(scoutOrder, r, request))
		a.asked++
		a.send(request)
		want := a.until(a.asked)[0]
		if got == nil || want[0] != x11.Error || !sameReply(got, want) {
			t.Errorf("%x brings %x, want %x", request, got, want)
		}
	}
}
