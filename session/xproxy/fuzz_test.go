package xproxy

import (
	"bytes"
	"slices"
	"testing"

	"goldm/internal/x11"
)

// unheard takes notices to a near half that there is not.
func unheard([]byte) error { return nil }

// fuzzConstants are those of a server with some extensions.
func fuzzConstants() *constants {
	majors := make(map[string]byte)
	for name := range extensions {
		majors[name] = byte(x11.FirstExtension + len(majors))
	}
	majors["BIG-REQUESTS"], majors[xkeyboard] = 200, 201
	c := newConstants(newServer(majors), newWatched(unheard))
	c.server.colormaps, c.server.roots = map[uint32]visual{32: {0xff0000, 0xff00, 0xff}}, map[uint32]bool{7: true}
	reply := make([]byte, x11.AnswerHead)
	reply[0] = x11.Reply
	for _, key := range []string{"l\xc8\x00\x01\x00", "l\xc9\x00\x02\x00\x01\x00\x00\x00"} {
		c.put(key, reply)
	}
	c.putAtom(99, "ATOM")
	return c
}

// FuzzProgram has a program and a server say anything, by turns: what the program hears is
// whole messages in order as long as the server's are, and every request comes to the
// server as one.
func FuzzProgram(f *testing.F) {
	client := &xclient{t: f, order: x11.LittleEndian}
	setup := append([]byte{1, 0, 11, 0, 0, 0, 0, 0}, make([]byte, x11.AnswerHead)...)
	said := slices.Concat(
		client.request(internAtom, 0, 4, 0, "ATOM"),
		client.request(200, 0),
		client.bigRequest(18, 0, make([]byte, 99)),
		client.request(201, 0, 1, 0),
		client.request(getInputFocus, 0),
	)
	f.Add(said, setup, false, uint8(20))
	f.Add(said, append(setup[:8:8], 1, 0, 5, 0, 0, 0, 0, 0), false, uint8(7))
	f.Fuzz(func(t *testing.T, said, answers []byte, big bool, step uint8) {
		order := x11.LittleEndian
		if big {
			order = x11.BigEndian
		}
		p := newProgram(order, fuzzConstants())
		run(t, p, said, answers, int(step)+1)
		if len(p.ledger.expected) > maxExpected || p.ledger.given > p.ledger.sequence {
			t.Errorf("%d are expected, %d is given of %d", len(p.ledger.expected), p.ledger.given, p.ledger.sequence)
		}
	})
}

// run gives p what both sides say, step bytes at a time.
func run(t *testing.T, p *program, said, answers []byte, step int) {
	r, a := requests{program: p}, newAnswers(p)
	var toServer, left, leftAnswers []byte
	for len(said) > 0 || len(answers) > 0 {
		n := min(step, len(said))
		left = append(left, said[:n]...)
		said = said[n:]
		var done int
		toServer, done = r.edit(toServer, left)
		if left = left[done:]; len(left) > maxKey+8 {
			t.Fatalf("%d bytes wait for more", len(left))
		}
		n = min(step, len(answers))
		leftAnswers = append(leftAnswers, answers[:n]...)
		answers = answers[n:]
		done, err := a.take(leftAnswers)
		if err != nil {
			return
		}
		if leftAnswers = leftAnswers[done:]; len(leftAnswers) >= x11.AnswerHead {
			t.Fatalf("%d bytes of answers wait for more", len(leftAnswers))
		}
	}
	if !r.blind {
		checkRequests(t, p, bytes.Clone(toServer), r)
	}
}

// checkRequests checks that the server gets as many requests as there were.
func checkRequests(t *testing.T, p *program, b []byte, r requests) {
	var n uint64
	big := false
	for len(b) > 0 {
		request, ok := x11.ParseRequest(p.order, b, big)
		if !ok {
			t.Fatalf("%x is no request", b)
		}
		if request.Major == 200 && request.Minor == 0 && request.Size == 4 {
			big = true
		}
		n++
		b = b[min(request.Size, int64(len(b))):]
	}
	if n != p.ledger.sequence {
		t.Errorf("the server gets %d requests of %d", n, p.ledger.sequence)
	}
}

// FuzzScout gives the scout anything for answers.
func FuzzScout(f *testing.F) {
	f.Add(append([]byte{1, 0, 11, 0, 0, 0, 20, 0}, make([]byte, 500)...))
	f.Fuzz(func(t *testing.T, answers []byte) {
		var out bytes.Buffer
		explore(&out, bytes.NewReader(answers), []byte("cookie"), newWatched(unheard))
		parseScreens(answers)
	})
}

// FuzzHello gives both halves anything for a greeting.
func FuzzHello(f *testing.F) {
	f.Add([]byte("Welcome" + magic + `{"display":":100"}` + "\n"))
	f.Add([]byte(`{"cookie":"00ff"}` + "\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		rw := func() *both { return &both{Reader: bytes.NewReader(said)} }
		if place, err := Introduce(rw(), Offer{Cookie: []byte("x")}); err == nil && place.Display == "" {
			t.Error("no display, and no error")
		}
		if offer, err := Await(rw()); err == nil && len(offer.Cookie) == 0 {
			t.Error("no cookie, and no error")
		}
	})
}

type both struct {
	*bytes.Reader
	bytes.Buffer
}

func (b *both) Read(p []byte) (int, error)  { return b.Reader.Read(p) }
func (b *both) Write(p []byte) (int, error) { return b.Buffer.Write(p) }

// FuzzNotice gives both halves any notices: what is kept for them is bounded, and replies that were
// kept before still come only where they were right.
func FuzzNotice(f *testing.F) {
	f.Add(word{opWatching, topic{kind: screens}}.append(word{opOn, topic{}}.append(nil)))
	f.Add(word{opUngrab, topic{a: 1}}.append(word{op: opGrab}.append([]byte("x"))))
	f.Add(word{opChanged, topic{properties, 7, 39}}.append(nil))
	f.Fuzz(func(t *testing.T, notice []byte) {
		w := newWatched(unheard)
		about := topic{kind: screens}
		w.take(word{opWatching, about}.append(word{opOn, topic{}}.append(nil)), 1)
		w.put("key", w.now(about), []byte("reply"))
		w.take(notice, 1)
		for _, said := range words(notice) {
			if said.op == opChanged && (said.topic == about || said.topic == topic{}) && w.get("key", about) != nil {
				t.Error("a reply outlives a change")
			}
		}
		if len(w.topics) > maxTopics+int(kinds) || len(w.told) > maxTopics {
			t.Errorf("%d topics, %d told", len(w.topics), len(w.told))
		}
		near := newWatch()
		near.ask, near.wake = func([]byte) error { return nil }, func() {}
		near.take(notice)
		near.answered(nil)
		near.close() // else a fence waits
		near.fence(0)
	})
}
