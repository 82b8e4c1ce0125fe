package xproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// tally is a display that keeps in mind what each program says to it.
type tally struct {
	mu   sync.Mutex
	said []*bytes.Buffer
}

// tallyPair shows a server through the pair.
func tallyPair(t *testing.T, server *xtest.Server) (path string, heard *tally) {
	path = filepath.Join(t.TempDir(), "display")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	heard = new(tally)
	serve := dialTo(server.Path())
	joinPair(t, listener, server, Offer{Cookie: server.Cookie}, func(ctx context.Context, rw io.ReadWriteCloser) {
		serve(ctx, struct {
			io.Reader
			io.WriteCloser
		}{io.TeeReader(rw, heard.add()), rw})
	})
	return path, heard
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// add adds a program.
func (h *tally) add() io.Writer {
	h.mu.Lock()
	defer h.mu.Unlock()
	said := new(bytes.Buffer)
	h.said = append(h.said, said)
	return writer(func(p []byte) (int, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return said.Write(p)
	})
}

// asked returns the major opcodes of what a program asked the X server for; mark is its first request.
func (h *tally) asked(mark []byte) (majors []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.said {
		_, requests, found := bytes.Cut(one.Bytes(), mark)
		for found && len(requests) > 0 {
			r, _ := x11.ParseRequest(x11.LittleEndian, requests, false)
			majors = append(majors, r.Major)
			requests = requests[min(int64(len(requests)), max(r.Size, 4)):]
		}
	}
	return majors
}

// starts are what programs ask at their start.
func starts(c *xclient, xi, xkb, randr byte) map[string][]byte {
	return map[string][]byte{
		"XIQueryDevice, all":        c.request(xi, xiQueryDevice, allDevices, 0),
		"XIQueryDevice, masters":    c.request(xi, xiQueryDevice, allMasterDevices, 7),
		"QueryPointer":              c.request(queryPointer, 3, c.root()),
		"GetWindowAttributes":       c.request(getWindowAttributes, 9, c.root()),
		"GetInputFocus":             c.request(getInputFocus, 0),
		"GetState":                  c.request(xkb, xkbGetState, coreKeyboard, 0),
		"GetState, by number":       c.request(xkb, xkbGetState, 3, 5),
		"GetScreenResourcesCurrent": c.request(randr, randrGetScreenResourcesCurrent, c.root()),
	}
}

// introduce says the versions of extensions that programs say.
func introduce(c *xclient, xi, xkb byte, minor int) {
	for i, request := range [][]byte{c.request(xi, 47, 2, minor), c.request(xkb, 0, 1, 0)} {
		c.send(request)
		c.until(2 + i) // after the mark
	}
}

// extensionsOf returns the opcodes of XInput, XKEYBOARD and RANDR.
func extensionsOf(w *witness) (xi, xkb, randr byte) {
	major := func(name string) byte {
		return x11.ParseExtensionReply(w.ask(w.request(x11.QueryExtension, 0, len(name), 0, name))).Major
	}
	return major("XInputExtension"), major(xkeyboard), major("RANDR")
}

// What programs ask at their start is answered there, as the X server does; once for what was seen at a time.
func TestAnsweredAtStart(t *testing.T) {
	server := xtest.Start(t)
	path, heard := tallyPair(t, server)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	xi, xkb, randr := extensionsOf(here)
	here.ask(here.request(xi, 47, 2, 4))
	here.ask(here.request(xkb, 0, 1, 0))
	for name := range starts(here.xclient, xi, xkb, randr) {
		for _, minor := range []int{4, 2} {
			end := time.Now().Add(patience)
			for try := 0; ; try++ {
				c := dial(t, path, server.Cookie, x11.LittleEndian)
				mark := c.request(x11.NoOperation, 0, fmt.Sprintf("mark %s %d %d", name, minor, try))
				c.send(mark)
				introduce(c, xi, xkb, minor)
				request := starts(c, xi, xkb, randr)[name]
				c.send(request)
				got := c.until(4)
				want := here.ask(starts(here.xclient, xi, xkb, randr)[name])
				if !sameReply(got[len(got)-1], want) {
					t.Fatalf("%s: %x, want %x", name, got[len(got)-1], want)
				}
				c.send(request)
				c.until(5)
				c.conn.Close()
				majors := heard.asked(mark)
				if len(majors) >= 4 && majors[2] == x11.NoOperation && majors[3] == request[0] {
					break // answered, and passed the second time
				}
				if time.Now().After(end) {
					t.Fatalf("%s to version 2.%d is never answered on this side: %d", name, minor, majors)
				}
			}
		}
	}
}

// Whoever hears of something sees what was so before that.
func TestFleetingNothingStale(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	far := newWitness(t, path, server.Cookie, x11.LittleEndian)
	xi, _, _ := extensionsOf(here)
	here.ask(here.request(xi, 47, 2, 4))
	far.ask(far.request(xi, 47, 2, 4))
	questions := [][]byte{far.request(queryPointer, 0, far.root()), far.request(xi, xiQueryDevice, allMasterDevices, 0)}
	for i := range 300 {
		for _, question := range questions {
			far.ask(question)
		}
		warp := here.request(41, 0, uint32(0), here.root(), 0, 0, 0, 0, i, 1+i)
		// Not ahead of each batch of a long reply is asked what is so then.
		far.send(far.request(73, 2, far.root(), 0, 0, 150, 150, uint32(1<<32-1))) // GetImage
		far.asked++
		here.send(append(warp, here.tell(far.window, uint32(i))...))
		here.asked += 2
		far.hearTell()
		for _, question := range questions {
			if got, want := far.ask(question), here.ask(question); !sameReply(got, want) {
				t.Fatalf("%d: %x, want %x", i, got, want)
			}
		}
	}
}

// A program sees what it has changed itself.
func TestFleetingOwnChanges(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	xi, xkb, _ := extensionsOf(here)
	here.ask(here.request(xi, 47, 2, 4))
	here.ask(here.request(xkb, 0, 1, 0))
	for i := range 100 {
		far := dial(t, path, server.Cookie, x11.LittleEndian)
		w := &witness{xclient: far}
		w.ask(far.request(xi, 47, 2, 4))
		w.ask(far.request(xkb, 0, 1, 0))
		mask := uint32(1<<15 | i%2<<16)
		other := far.request(15, 0, far.root()) // QueryTree: with its reply there is something new to tell
		for name, test := range map[string]struct{ change, ask []byte }{
			"WarpPointer":            {far.request(41, 0, uint32(0), far.root(), 0, 0, 0, 0, 300+i, 7), far.request(queryPointer, 0, far.root())},
			"SetInputFocus":          {far.request(42, 1, far.root()+uint32(i%2)*(1-far.root()), uint32(0)), far.request(getInputFocus, 0)},
			"LatchLockState":         {far.request(xkb, 5, coreKeyboard, byte(2), byte(i%2*2), byte(0), byte(0), byte(0), byte(0), 0, 0), far.request(xkb, xkbGetState, coreKeyboard, 0)},
			"ChangeWindowAttributes": {far.request(changeWindowAttributes, 0, far.root(), uint32(eventMaskOnly), mask), far.request(getWindowAttributes, 0, far.root())},
		} {
			w.ask(test.ask)
			w.ask(other)
			far.send(test.change)
			w.asked++
			for range 3 {
				got, want := w.ask(test.ask), here.ask(test.ask)
				if name == "ChangeWindowAttributes" {
					far.order.PutUint32(want[36:], mask) // which is here's
				}
				if !sameReply(got, want) {
					t.Fatalf("%d, %s: %x, want %x", i, name, got, want)
				}
				w.ask(other)
			}
		}
		far.conn.Close()
		here.ask(here.request(getInputFocus, 0))
	}
}

// A program that has the X server to itself is told nothing by anybody else.
func TestFleetingGrabbed(t *testing.T) {
	server := xtest.Start(t)
	path, heard := tallyPair(t, server)
	for i := range 50 {
		c := dial(t, path, server.Cookie, x11.LittleEndian)
		mark := c.request(x11.NoOperation, 0, fmt.Sprintf("mark%4d", i))
		question := c.request(queryPointer, 0, c.root())
		c.send(slices.Concat(mark, c.request(grabServer, 0), question))
		c.until(3)
		c.conn.Close()
		if got := heard.asked(mark); !bytes.Equal(got, []byte{grabServer, queryPointer}) {
			t.Fatalf("the X server was asked for %d", got)
		}
	}
}

// telling is a far half's view, and the near half's that it is told by.
type telling struct {
	*watched
	near  inquiries
	last  uint64 // batch with something for a program
	batch uint64
}

func newTelling(all ...inquiry) *telling {
	n := &telling{watched: newWatched(unheard), near: inquiries{all: all}}
	n.watched.last = func() uint64 { return n.last }
	n.take(word{op: opOn}.append(nil), 0)
	return n
}

// see has the near half see these replies, and tell them in a batch.
func (n *telling) see(replies ...[]byte) {
	_, count := n.near.ask(0, time.Now())
	for i := range count {
		n.near.take(uint64(i+1), replies[i])
	}
	n.batch++
	n.take(n.near.tell(nil), n.batch)
}

// replyOf is a reply of so many bytes that are like seed.
func replyOf(size int, seed byte) []byte {
	reply := bytes.Repeat([]byte{seed}, size)
	reply[0] = x11.Reply
	scoutOrder.PutUint16(reply[2:], 0)
	scoutOrder.PutUint32(reply[4:], uint32(size-x11.AnswerHead)/4)
	return reply
}

// What changes without a word is told for a moment, and not after anybody has heard anything.
func TestFleeting(t *testing.T) {
	pointer := topic{kind: pointers, a: 7}
	n := newTelling(inquiry{topic: pointer})
	is := func(when string, want []byte) {
		t.Helper()
		if got, _ := n.glance(pointer); !bytes.Equal(got, want) && time.Since(n.seen[pointer].came) < freshTime/2 {
			t.Errorf("%s: %x, want %x", when, got, want)
		}
	}
	n.see(replyOf(32, 5))
	is("seen", replyOf(32, 5))
	n.last = n.batch
	is("with data in the same batch", replyOf(32, 5))
	n.last++
	is("with data in a later batch", nil)
	n.batch++
	n.see(replyOf(32, 5))
	is("seen again", replyOf(32, 5))
	n.see(replyOf(32, 6))
	is("changed", replyOf(32, 6))
	n.take(word{op: opOff}.append(nil), n.batch)
	n.take(word{op: opOn}.append(nil), n.batch)
	is("after it was not certain", nil)
	n.see(replyOf(32, 6))
	n.grab()
	is("in a grab", nil)
	n.ungrab()
	n.take(word{opOn, topic{a: 1}}.append(nil), n.batch)
	is("after a grab", nil)
	n.see(replyOf(32, 6))
	time.Sleep(2 * freshTime)
	if got, _ := n.glance(pointer); got != nil {
		t.Error("known for ever")
	}
}

// Who may want hints of motion has the X server asked where the pointer is.
func TestHints(t *testing.T) {
	c := &xclient{t: t, order: x11.LittleEndian}
	s := fuzzConstants().server
	const hint, motion = uint32(1 << 7), uint32(1 << 6)
	window := func(values ...any) []byte {
		return c.request(createWindow, 0, append([]any{uint32(0x200001), uint32(7), 0, 0, 9, 9, 0, 0, uint32(0)}, values...)...)
	}
	for name, test := range map[string]struct {
		request []byte
		want    bool
	}{
		"a window":                  {window(uint32(0)), false},
		"with events":               {window(uint32(1<<9|1<<11), uint32(1), motion), false},
		"with hints":                {window(uint32(1<<9|1<<11), uint32(1), motion|hint), true},
		"cut off":                   {window(uint32(1<<9|1<<11), uint32(1)), true},
		"no value":                  {window(), true},
		"another's events":          {c.request(changeWindowAttributes, 0, uint32(8), uint32(1<<11), motion), false},
		"and hints":                 {c.request(changeWindowAttributes, 0, uint32(8), uint32(1<<11), hint), true},
		"of nothing":                {c.request(changeWindowAttributes, 0, uint32(8), uint32(1<<14), hint), false},
		"a grab":                    {c.request(grabPointer, 0, uint32(8), int(motion), byte(1), byte(1), uint32(0), uint32(0), uint32(0)), false},
		"a grab with hints":         {c.request(grabPointer, 0, uint32(8), int(hint), byte(1), byte(1), uint32(0), uint32(0), uint32(0)), true},
		"a button's":                {c.request(grabButton, 0, uint32(8), int(hint), byte(1), byte(1)), true},
		"another grab":              {c.request(changeActivePointerGrab, 0, uint32(0), uint32(0), 0, 0), true},
		"a drawing":                 {c.request(65, 0, uint32(0)), false},
		"XISelectEvents":            {c.request(s.xi, 46, uint32(7), 1, 0, 2, 1, hint), false},
		"SelectExtensionEvent":      {c.request(s.xi, 6, uint32(7), 0, 0), true},
		"XInput's version":          {c.request(s.xi, 1, 0, 0), false},
		"the screen saver's":        {c.request(s.majors["MIT-SCREEN-SAVER"], 3, uint32(7)), true},
		"the screen saver's others": {c.request(s.majors["MIT-SCREEN-SAVER"], 2, uint32(7)), false},
		"nobody knows":              {c.request(254, 0), true},
	} {
		r, _ := x11.ParseRequest(c.order, test.request, false)
		if got := s.hints(c.order, r, test.request[4:], test.request); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Which programs are told what is fleeting.
func TestGlance(t *testing.T) {
	devicesReply := func(class int) []byte {
		reply := replyOf(56, 0)
		scoutOrder.PutUint16(reply[8:], 1)
		scoutOrder.PutUint16(reply[x11.AnswerHead+6:], 1)
		scoutOrder.PutUint16(reply[x11.AnswerHead+12:], uint16(class))
		scoutOrder.PutUint16(reply[x11.AnswerHead+14:], 3)
		return reply
	}
	all := []inquiry{
		{topic: topic{kind: pointers, a: 7}}, {topic: topic{kind: attributes, a: 7}}, {topic: topic{kind: deviceLists}},
		{topic: topic{kind: states}}, inputFocus(),
	}
	c := &xclient{t: t, order: x11.LittleEndian}
	constants := fuzzConstants()
	plain := constants.server
	xi := func(minor int) []byte { return c.request(plain.xi, 47, 2, minor) }
	useXKB := c.request(plain.xkb, 0, 1, 0)
	mask := c.request(changeWindowAttributes, 0, uint32(7), uint32(eventMaskOnly), uint32(1<<22))
	pointer, attributes := c.request(queryPointer, 0, uint32(7)), c.request(getWindowAttributes, 0, uint32(7))
	devices, state, focus := c.request(plain.xi, xiQueryDevice, 0, 0), c.request(plain.xkb, xkbGetState, coreKeyboard, 0), c.request(getInputFocus, 0)
	for _, minor := range []int{2, 4, 5} {
		constants.put(string(scoutOrder)+string(xi(minor)), replyOf(32, 0))
	}
	for name, test := range map[string]struct {
		before   []byte
		question []byte
		class    int
		want     bool
	}{
		"the pointer":                {nil, pointer, 2, true},
		"another window's":           {nil, c.request(queryPointer, 0, uint32(8)), 2, false},
		"the pointer, with hints":    {c.request(changeWindowAttributes, 0, uint32(7), uint32(eventMaskOnly), uint32(1<<7)), pointer, 2, false},
		"a root's attributes":        {nil, attributes, 2, true},
		"with another mask":          {mask, attributes, 2, false},
		"devices":                    {xi(2), devices, 8, true},
		"devices to nobody":          {nil, devices, 8, false},
		"devices to a new version":   {xi(5), devices, 8, false},
		"gestures":                   {xi(4), devices, 9, true},
		"gestures to an old version": {xi(2), devices, 9, false},
		"two versions":               {append(xi(2), xi(4)...), devices, 8, false},
		"the keyboard's state":       {useXKB, state, 2, true},
		"to nobody":                  {nil, state, 2, false},
		"the focus":                  {useXKB, focus, 2, true},
		"the focus after others":     {mask, focus, 2, false},
	} {
		s := newScript(t)
		n := newTelling(slices.Clone(all)...)
		s.p.ledger.constants, constants.watched = constants, n.watched
		s.say(test.before)
		n.see(replyOf(32, 1), replyOf(44, 2), devicesReply(test.class), replyOf(32, 4), replyOf(32, 5))
		if got := s.say(test.question); (got > 0) != test.want && time.Since(n.seen[all[0].topic].came) < freshTime/2 {
			t.Errorf("%s: %d bytes", name, got)
		}
		if got := s.say(test.question); got > 0 {
			t.Errorf("%s: %d bytes, again", name, got)
		}
	}
}

// Who has asked the X server itself is told nothing older than its reply: it may be waiting for something to change.
func TestAskedItself(t *testing.T) {
	s, n := newScript(t), newTelling(inquiry{topic: topic{kind: pointers, a: 7}})
	s.p.ledger.constants.watched = n.watched
	question := s.request(queryPointer, 0, uint32(7))
	is := func(when string, want int) {
		t.Helper()
		if got := s.say(question); got != want && time.Since(n.seen[n.near.all[0].topic].came) < freshTime/2 {
			t.Errorf("%s: %d bytes, want %d", when, got, want)
		}
	}
	n.see(replyOf(32, 1))
	is("seen", 32)
	is("told", 0)
	n.last = 2
	n.see(replyOf(32, 2)) // with the reply in the same batch
	if err := s.hear(s.message(x11.Reply, 0, 2)); err != nil {
		t.Fatal(err)
	}
	is("seen as late as the reply", 0)
	if err := s.hear(s.message(x11.Reply, 0, 3)); err != nil {
		t.Fatal(err)
	}
	n.see(replyOf(32, 3))
	is("seen later", 32)
}

// FuzzSeen gives the far half any notices about what is fleeting: what it keeps is bounded, and what it tells is one reply.
func FuzzSeen(f *testing.F) {
	q := inquiries{all: []inquiry{{topic: topic{kind: pointers, a: 7}, reply: replyOf(32, 3)}, {topic: topic{kind: deviceLists}, reply: replyOf(999, 3)}}}
	f.Add(q.tell(nil), uint8(1))
	f.Add(word{opPiece, topic{kind: states, b: 1<<32 - 1}}.append(nil), uint8(2))
	f.Add(word{opIs, topic{kind: states, b: 1<<32 - 1}}.append(q.tell(nil)), uint8(0))
	f.Fuzz(func(t *testing.T, notice []byte, last uint8) {
		n := newTelling()
		n.last = uint64(last)
		for batch := range uint64(3) {
			n.take(notice, batch)
		}
		size := 0
		for about, s := range n.seen {
			size += len(s.content)
			reply, batch := n.glance(about)
			if reply != nil && (batch < n.last || x11.AnswerSize(scoutOrder, reply) != int64(len(reply))) {
				t.Errorf("in batch %d %x is told", batch, reply)
			}
		}
		if len(n.seen) > maxInquiries || size > maxInquiries*maxAnswer {
			t.Errorf("%d replies of %d bytes are kept", len(n.seen), size)
		}
	})
}
