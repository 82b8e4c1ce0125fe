package xproxy

import (
	"errors"
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// script is a program whose server the test plays.
type script struct {
	*xclient
	p        *program
	requests requests
	answers  *answers
}

func newScript(t *testing.T) *script {
	p := newProgram(x11.LittleEndian, fuzzConstants())
	s := &script{xclient: &xclient{t: t, order: p.order}, p: p, requests: requests{program: p}, answers: newAnswers(p)}
	s.hear([]byte{x11.SetupAccepted, 0, 11, 0, 0, 0, 0, 0})
	p.out = nil
	return s
}

// say has the program say something, and returns how many bytes of answers it has at once.
func (s *script) say(b []byte) int {
	s.p.out = nil
	s.requests.edit(nil, b)
	return len(s.p.out)
}

// hear has the server say something.
func (s *script) hear(b []byte) error {
	_, err := s.answers.take(b)
	return err
}

// message is a message of the server's about a request.
func (s *script) message(kind, detail byte, sequence uint16) []byte {
	m := make([]byte, x11.AnswerHead)
	m[0], m[1] = kind, detail
	s.order.PutUint16(m[2:], sequence)
	return m
}

func TestWhenAnswered(t *testing.T) {
	s := newScript(t)
	atom := s.request(internAtom, 0, 4, 0, "ATOM")
	useXKB := s.request(201, 0, 1, 0)
	gc := s.request(createGC, 0, uint32(0x200001), uint32(7), uint32(8), uint32(0xffffff))
	const propertyNotify = 28
	steps := []struct {
		name string
		say  []byte
		hear []byte // before
		want int
	}{
		{"first of all", atom, nil, 32}, // 1
		{"an introduction", useXKB, nil, 32},
		{"after it", atom, nil, 32}, // 3
		{"another introduction", s.request(201, 0, 2, 0), s.message(x11.Reply, 0, 2), 0},
		{"before its reply", atom, nil, 0}, // 5
		{"after its reply alone", atom, s.message(x11.Reply, 0, 4), 0},
		{"after all replies", atom, s.message(x11.Reply, 0, 6), 32}, // 7
		{"many replies", s.request(listFontsWithInfo, 0, 5, 1, "*"), nil, 0},
		{"after the first of many", atom, s.message(x11.Reply, 3, 8), 0}, // 9
		{"after an answer to what follows", atom, s.message(x11.Reply, 0, 9), 32},
		{"no reply", s.request(8, 0, uint32(1)), nil, 0}, // 11
		{"after its event", atom, s.message(propertyNotify, 0, 11), 0},
		{"no reply again", s.request(8, 0, uint32(1)), s.message(x11.Reply, 0, 12), 0}, // 13
		{"after its error", atom, s.message(x11.Error, 3, 13), 32},
		{"unknown extension", s.request(250, 0), nil, 0}, // 15
		{"after its reply", atom, s.message(x11.Reply, 0, 15), 0},
		{"after a later event", atom, s.message(propertyNotify, 0, 16), 0}, // 17
		{"after all", atom, s.message(x11.Reply, 0, 17), 32},
		{"what cannot fail", s.request(grabServer, 5), nil, 0}, // 19
		{"after it", atom, nil, 32},
		{"what could have", append(s.request(grabServer, 0, uint32(0)), atom...), nil, 0}, // 21, 22
		{"after its end", atom, s.message(x11.Error, x11.BadLength, 21), 0},
		{"after the other's", atom, s.message(x11.Reply, 0, 22), 0},
		{"after all again", atom, s.message(x11.Reply, 0, 24), 32}, // 25
		{"events of the root", s.request(changeWindowAttributes, 0, uint32(7), uint32(eventMaskOnly), uint32(1<<22)), nil, 0},
		{"after that", atom, nil, 32}, // 27
		{"others instead", s.request(changeWindowAttributes, 0, uint32(7), uint32(eventMaskOnly), uint32(0)), nil, 0},
		{"after those", atom, nil, 0}, // 29
		{"after an answer", atom, s.message(x11.Reply, 0, 29), 32},
		{"events of the keyboard", s.request(201, 1, coreKeyboard, 7, 0, 7, 255, 255), nil, 0}, // 31
		{"when it is unknown", atom, nil, 0},
		{"after the rest", atom, s.message(x11.Reply, 0, 32), 32},
		{"a later GC", gc, nil, 0}, // 34
		{"after that", atom, nil, 0},
	}
	for i, step := range steps {
		if step.hear != nil {
			if err := s.hear(step.hear); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		if got := s.say(step.say); got != step.want {
			t.Fatalf("%d, %s: %d bytes of answers, want %d", i+1, step.name, got, step.want)
		}
	}
}

// Xlib's first GC cannot fail, if it is what it should be.
func TestFirstGC(t *testing.T) {
	for _, test := range []struct {
		id, window, values uint32
		more               []any
		want               int
	}{
		{0x200001, 7, 8, []any{uint32(1)}, 32},
		{0x200001, 7, 12, []any{uint32(1), uint32(2)}, 32},
		{0x400001, 7, 8, []any{uint32(1)}, 0},
		{0x200001, 8, 8, []any{uint32(1)}, 0},
		{0x200001, 7, 1 << 14, []any{uint32(1)}, 0},
		{0x200001, 7, 8, nil, 0},
	} {
		s := newScript(t)
		s.p.ledger.own.ids = ids{base: 0x200000, mask: 0x1fffff}
		s.say(s.request(createGC, 9, append([]any{test.id, test.window, test.values}, test.more...)...))
		if got := s.say(s.request(internAtom, 0, 4, 0, "ATOM")); got != test.want {
			t.Errorf("%+v: %d bytes", test, got)
		}
	}
}

// A silent request that went well for one program lets another go on, one that failed does not.
func TestSilent(t *testing.T) {
	for _, fails := range []bool{false, true} {
		a, b := newScript(t), newScript(t)
		b.p.ledger.constants = a.p.ledger.constants
		selects := a.request(201, 1, coreKeyboard, 7, 0, 7, 255, 255)
		focus, atom := a.request(getInputFocus, 0), a.request(internAtom, 0, 4, 0, "ATOM")
		a.say(append(selects, focus...))
		if fails {
			a.hear(a.message(x11.Error, 2, 1))
		}
		a.hear(a.message(x11.Reply, 0, 2))
		b.say(selects)
		if got := b.say(atom); (got == 0) != fails {
			t.Errorf("fails %t: %d bytes", fails, got)
		}
	}
}

// A server that says something else than before ends the program's connection.
func TestSurprise(t *testing.T) {
	for name, sequence := range map[string]uint16{"another reply": 1, "none": 2} {
		s := newScript(t)
		s.say(s.request(200, 0))
		s.say(s.request(getInputFocus, 0))
		m := s.message(x11.Reply, 1, sequence)
		if err := s.hear(m); !errors.Is(err, errSurprise) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An atom that was not there may be later.
func TestLaterAtom(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	a, b := dial(t, path, server.Cookie, x11.LittleEndian), dial(t, path, server.Cookie, x11.LittleEndian)
	ask := func(c *xclient, only byte, n int) uint32 {
		c.send(c.request(internAtom, only, 5, 0, "LATER"))
		all := c.until(n)
		return c.order.Uint32(all[len(all)-1][8:])
	}
	if got := ask(a, 1, 1); got != 0 {
		t.Fatalf("the atom is there: %d", got)
	}
	made := ask(b, 0, 1)
	for n, only := range []byte{1, 0, 1} {
		if got := ask(a, only, n+2); got != made || made == 0 {
			t.Errorf("the atom is %d, want %d", got, made)
		}
	}
}
