package xproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// asking is an asker that talks to an X server itself.
type asking struct {
	*witness
	constants *constants
	speaker   *speaker
	devices   byte // major opcode of XInput
	randr     byte
}

func startAsking(t *testing.T) *asking {
	server := xtest.Start(t)
	scout := startConn(t, server)
	w := newWatched(unheard)
	c, err := explore(scout, scout, server.Cookie, w)
	if err != nil {
		t.Fatal(err)
	}
	things, err := c.server.lookAround(scout, scout)
	if err != nil {
		t.Fatal(err)
	}
	if len(things.devices) == 0 || len(things.outputs) == 0 || len(things.crtcs) == 0 {
		t.Fatalf("the X server has %+v", things)
	}
	for root := range c.server.roots {
		w.take(word{opWatching, topic{kind: properties, a: root}}.append(nil), 1)
	}
	for _, kind := range []kind{screens, devices, keys} {
		w.take(word{opWatching, topic{kind: kind}}.append(nil), 1)
	}
	for _, name := range watchedSelections {
		w.take(word{opWatching, topic{kind: selections, b: c.atom(name)}}.append(nil), 1)
	}
	w.take(word{op: opOn}.append(nil), 1)
	a := &asking{
		witness: newWitness(t, server.Path(), server.Cookie, x11.LittleEndian), constants: c, devices: c.server.xi, randr: c.server.randr,
		speaker: newSpeaker(startConn(t, server), server.Cookie, c),
	}
	a.send(bytes.Join([][]byte{
		a.request(changeProperty, 0, a.root(), uint32(39), uint32(31), byte(8), byte(0), 0, uint32(5), "hello"),
		a.request(changeProperty, 0, a.root(), uint32(40), uint32(6), byte(16), byte(0), 0, uint32(3), 1, 2, 3),
		a.request(changeProperty, 0, a.root(), uint32(41), uint32(6), byte(32), byte(0), 0, uint32(2), uint32(1), uint32(2)),
		a.request(changeProperty, 0, a.root(), uint32(42), uint32(6), byte(32), byte(0), 0, uint32(0)),
		a.request(getInputFocus, 0),
	}, nil))
	a.until(7)
	a.asked = 7
	if err := a.speaker.say(append(c.server.greet(), c.server.asks(c, things)...)); err != nil {
		t.Fatal(err)
	}
	if err := a.speaker.say(c.listedProperties()); err != nil {
		t.Fatal(err)
	}
	return a
}

func startConn(t *testing.T, server *xtest.Server) net.Conn {
	conn, err := net.Dial("unix", server.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// known returns what a request would be answered here.
func (a *asking) known(request []byte) []byte {
	r, _ := x11.ParseRequest(scoutOrder, request, false)
	key := a.constants.server.key(scoutOrder, r, request)
	t, ok := a.constants.topic(scoutOrder, r, request)
	if !ok || key == "" {
		return nil
	}
	return a.constants.current(a.speaker.program.ledger.greeted(r, current, key, false), t)
}

// What nobody has asked yet is answered as the X server does: parts of properties, and that there are none.
func TestListedProperties(t *testing.T) {
	a := startAsking(t)
	get := func(property, kind, offset, most uint32) []byte {
		return a.request(getProperty, 0, a.root(), property, kind, offset, most)
	}
	device := func(property, kind, offset, most uint32) []byte {
		return a.request(a.devices, xiGetProperty, 2, byte(0), byte(7), property, kind, offset, most)
	}
	enabled := a.atom("Device Enabled")
	for name, test := range map[string]struct {
		request []byte
		unknown bool
	}{
		"whole":                      {request: get(39, 31, 0, 100)},
		"of any type":                {request: get(39, 0, 0, 1<<32-1)},
		"beginning":                  {request: get(39, 31, 0, 1)},
		"end":                        {request: get(39, 31, 1, 9)},
		"nothing of it":              {request: get(39, 31, 1, 0)},
		"of two bytes":               {request: get(40, 6, 0, 1)},
		"end of two bytes":           {request: get(40, 6, 1, 1)},
		"of four bytes":              {request: get(41, 6, 1, 1)},
		"empty":                      {request: get(42, 6, 0, 1)},
		"absent":                     {request: get(43, 0, 0, 100)},
		"absent, and its end":        {request: get(43, 31, 9, 100)},
		"past its end":               {request: get(39, 31, 3, 1), unknown: true},
		"far past its end":           {request: get(39, 31, 1<<30, 1), unknown: true},
		"of another type":            {request: get(41, 31, 0, 1), unknown: true},
		"a length that X.Org cuts":   {request: get(39, 31, 0, 1<<30), unknown: true},
		"no atom":                    {request: get(1<<20, 0, 0, 1), unknown: true},
		"absent, of no type":         {request: get(43, 1<<20, 0, 1), unknown: true},
		"list":                       {request: a.request(listProperties, 3, a.root())},
		"a window's list":            {request: a.request(listProperties, 0, a.window), unknown: true},
		"root's geometry":            {request: a.request(getGeometry, 0, a.root())},
		"a window's geometry":        {request: a.request(getGeometry, 0, a.window), unknown: true},
		"device's":                   {request: device(enabled, 19, 0, 1)},
		"device's, absent":           {request: device(39, 0, 0, 100)},
		"device's list":              {request: a.request(a.devices, xiListProperties, 2, 9)},
		"no device's":                {request: a.request(a.devices, xiGetProperty, 77, byte(0), byte(0), uint32(39), uint32(0), uint32(0), uint32(1)), unknown: true},
		"output that is primary":     {request: a.request(a.randr, 31, a.root())},
		"device's, to be deleted":    {request: a.request(a.devices, xiGetProperty, 2, byte(1), byte(0), uint32(39), uint32(0), uint32(0), uint32(1)), unknown: true},
		"an output's of no monitors": {request: a.request(a.randr, randrGetOutputProperty, uint32(1), uint32(39), uint32(0), uint32(0), uint32(1), byte(0), byte(0), 0), unknown: true},
	} {
		got := a.known(test.request)
		if (got == nil) != test.unknown {
			t.Errorf("%s: answered is %t, want %t", name, got != nil, !test.unknown)
		}
		if want := a.ask(test.request); got != nil && !sameReply(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
}

// What has changed is asked again, and what may have.
func TestOutdated(t *testing.T) {
	a := startAsking(t)
	c, whole := a.constants, a.request(getProperty, 0, a.root(), uint32(39), uint32(31), uint32(0), uint32(100))
	if a.known(whole) == nil {
		t.Fatal("the property is not known")
	}
	if said := c.outdated(&a.speaker.program.ledger); len(said) > 0 {
		t.Errorf("with nothing changed %x is asked", said)
	}
	a.send(a.request(changeProperty, 0, a.root(), uint32(39), uint32(31), byte(8), byte(0), 0, uint32(3), "bye"))
	a.asked++
	a.ask(a.request(getInputFocus, 0))
	c.watched.take(word{opChanged, topic{properties, a.root(), 39}}.append(nil), 1)
	if a.known(whole) != nil {
		t.Fatal("what has changed is answered")
	}
	if err := a.speaker.say(c.outdated(&a.speaker.program.ledger)); err != nil {
		t.Fatal(err)
	}
	if got, want := a.known(whole), a.ask(whole); !sameReply(got, want) {
		t.Errorf("asked again it is %x, want %x", got, want)
	}
}

// What is new in a list is asked for, and nothing that is known.
func TestNewlyListed(t *testing.T) {
	a := startAsking(t)
	c, property := a.constants, a.atom("TEST_NEW")
	big := a.atom("TEST_BIG")
	for atom, value := range map[uint32]string{property: "new", big: strings.Repeat("x", 4*maxProperty+4)} {
		fields := []any{a.root(), atom, uint32(31), byte(8), byte(0), 0, uint32(len(value)), value}
		a.send(a.request(changeProperty, 0, fields...))
		c.watched.take(word{opChanged, topic{properties, a.root(), atom}}.append(nil), 0)
	}
	a.asked += 2
	a.ask(a.request(getInputFocus, 0))
	if said := c.listedProperties(); said != nil {
		t.Fatalf("%x is asked before the list is", said)
	}
	for range 2 {
		if err := a.speaker.say(c.outdated(&a.speaker.program.ledger)); err != nil {
			t.Fatal(err)
		}
		if err := a.speaker.say(c.listedProperties()); err != nil {
			t.Fatal(err)
		}
	}
	if a.known(a.request(getProperty, 0, a.root(), property, uint32(31), uint32(0), uint32(1))) == nil {
		t.Error("the new property is not known")
	}
	if said := c.listedProperties(); said != nil {
		t.Errorf("%x is asked although it is known", said)
	}
}

// However many properties there are, all are asked for.
func TestManyProperties(t *testing.T) {
	a := startAsking(t)
	var atoms []uint32
	for i := range 3 * maxExpected {
		atoms = append(atoms, a.atom(fmt.Sprintf("TEST_MANY_%d", i)))
		a.send(a.setNumber(atoms[i], uint32(i)))
		a.asked++
	}
	a.ask(a.request(getInputFocus, 0))
	c := a.constants
	c.watched.take(word{opChanged, topic{kind: properties, a: a.root()}}.append(nil), 1)
	if err := errors.Join(a.speaker.say(c.outdated(&a.speaker.program.ledger)), a.speaker.say(c.listedProperties())); err != nil {
		t.Fatal(err)
	}
	for i, atom := range atoms {
		reply := a.known(a.request(getProperty, 0, a.root(), atom, uint32(6), uint32(0), uint32(1)))
		if reply == nil || scoutOrder.Uint32(reply[x11.AnswerHead:]) != uint32(i) {
			t.Fatalf("property %d is %x", i, reply)
		}
	}
}

// heardOnly is a display that keeps in mind what programs say to it.
type heardOnly struct {
	mu   sync.Mutex
	said []byte
}

func (h *heardOnly) serve(path string) func(context.Context, io.ReadWriteCloser) {
	return func(ctx context.Context, rw io.ReadWriteCloser) {
		dialTo(path)(ctx, struct {
			io.Reader
			io.WriteCloser
		}{io.TeeReader(rw, h), rw})
	}
}

func (h *heardOnly) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, p...)
	return len(p), nil
}

func (h *heardOnly) heard(request []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Contains(h.said, request)
}

// A program that has just come does not wait for what has changed before.
func TestAskedForArrivals(t *testing.T) {
	server := xtest.Start(t)
	path := filepath.Join(t.TempDir(), "display")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var heard heardOnly
	joinPair(t, listener, server, Offer{Cookie: server.Cookie}, heard.serve(server.Path()))
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	property := here.atom("TEST_NUMBER")
	end := time.Now().Add(patience)
	for value := uint32(1); ; value++ {
		here.send(here.setNumber(property, value))
		here.asked++
		here.ask(here.request(getInputFocus, 0))
		far := newWitness(t, path, server.Cookie, x11.LittleEndian)
		request := far.request(getProperty, 0, far.root(), property, uint32(6), uint32(0), 7*value)
		if reply := far.ask(request); scoutOrder.Uint32(reply[x11.AnswerHead:]) != value {
			t.Fatalf("the property is %x, want %d", reply, value)
		}
		far.conn.Close()
		if !heard.heard(request) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("every program waits for what has changed")
		}
	}
}
