package xproxy

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// witness is a program with a window, and somebody who tells it something by an event.
type witness struct {
	*xclient
	window uint32
	asked  int
}

func newWitness(t *testing.T, path string, cookie []byte, o x11.Order) *witness {
	w := &witness{xclient: dial(t, path, cookie, o), asked: 2}
	w.window = w.base() + 1
	w.send(w.request(1, 0, w.window, w.root(), 0, 0, 9, 9, 0, 0, uint32(0), uint32(0)))
	w.send(w.request(getInputFocus, 0))
	w.until(2)
	return w
}

// ask returns the reply to a request.
func (w *witness) ask(request []byte) []byte {
	w.asked++
	w.send(request)
	all := w.until(w.asked)
	return all[len(all)-1]
}

// number asks for a root window's property that is a number.
func (w *witness) number(property uint32) uint32 {
	reply := w.ask(w.request(getProperty, 0, w.root(), property, uint32(0), uint32(0), uint32(1)))
	if len(reply) < 36 {
		return 0
	}
	return w.order.Uint32(reply[32:])
}

// atom makes one.
func (w *witness) atom(name string) uint32 {
	return w.order.Uint32(w.ask(w.request(internAtom, 0, len(name), 0, name))[8:])
}

func (w *witness) setNumber(property, value uint32) []byte {
	return w.request(changeProperty, 0, w.root(), property, uint32(6), byte(32), byte(0), 0, uint32(1), value)
}

// tell is an event for another program's window.
func (w *witness) tell(window, value uint32) []byte {
	event := append([]byte{33, 32, 0, 0}, make([]byte, 28)...) // ClientMessage
	w.order.PutUint32(event[4:], window)
	w.order.PutUint32(event[12:], value)
	return w.request(25, 0, window, uint32(0), event)
}

// hearTell waits for such an event and returns what it says.
func (w *witness) hearTell() uint32 {
	for {
		m := w.next()
		if m == nil || x11.Kind(m) == 33 {
			return w.order.Uint32(append(m, make([]byte, 16)...)[12:])
		}
	}
}

// Whoever hears of something that came after a change sees the change: by an event that was
// sent after it, and although others keep asking for what has changed.
func TestNothingStale(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	far := newWitness(t, path, server.Cookie, x11.LittleEndian)
	property := here.atom("TEST_NUMBER")
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			w := newWitness(t, path, server.Cookie, x11.BigEndian)
			for last := uint32(0); ; {
				n := w.number(property)
				if n < last {
					t.Errorf("%d after %d", n, last)
				}
				last = n
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	defer others.Wait()
	defer close(stop)
	for value := uint32(1); value <= 3000; value++ {
		here.send(append(here.setNumber(property, value), here.tell(far.window, value)...))
		here.asked += 2
		if told, got := far.hearTell(), far.number(property); told != value || got != value {
			t.Fatalf("told %d, the property is %d, want %d", told, got, value)
		}
	}
}

// Each kind of change is heard of, before whatever comes after it.
func TestChangesHeard(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	far := newWitness(t, path, server.Cookie, x11.LittleEndian)
	majors := make(map[string]byte)
	for _, name := range []string{"RANDR", "XInputExtension", xkeyboard, "XINERAMA"} {
		majors[name] = x11.ParseExtensionReply(here.ask(here.request(x11.QueryExtension, 0, len(name), 0, name))).Major
	}
	randr, xi, xkb := majors["RANDR"], majors["XInputExtension"], majors[xkeyboard]
	for _, w := range []*witness{here, far} {
		w.ask(w.request(randr, 0, uint32(1), uint32(6)))
		w.ask(w.request(xi, 47, 2, 4))
		w.ask(w.request(xkb, 0, 1, 0))
	}
	name, selection := here.atom("TEST_NAME"), here.atom(watchedSelections[0])
	monitor := func(i int) []byte {
		if i%2 == 1 {
			return here.request(randr, 44, here.root(), name)
		}
		return here.request(randr, 43, here.root(), name, byte(0), byte(0), 0, 1, 1, 50, 50, uint32(5), uint32(5))
	}
	for kind, test := range map[string]struct {
		change func(i int) []byte
		ask    []byte
	}{
		"the keyboard's map": {
			func(i int) []byte {
				return here.request(changeKeyboardMapping, 1, byte(200), byte(1), 0, uint32(0x61+i%26))
			},
			here.request(getKeyboardMapping, 0, byte(199), byte(3), 0),
		},
		"the same, by XKEYBOARD": {
			func(i int) []byte {
				return here.request(changeKeyboardMapping, 1, byte(201), byte(1), 0, uint32(0x61+i%26))
			},
			here.request(xkb, 8, coreKeyboard, 7, make([]byte, 20)),
		},
		"a selection's owner": {
			func(i int) []byte {
				return here.request(setSelectionOwner, 0, uint32(i%2)*here.window, selection, uint32(0))
			},
			here.request(getSelectionOwner, 0, selection),
		},
		"an owner's window": {
			func(i int) []byte {
				window := here.base() + 99
				if i%2 == 1 {
					return here.request(destroyWindow, 0, window)
				}
				made := here.request(1, 0, window, here.root(), 0, 0, 9, 9, 0, 0, uint32(0), uint32(0))
				here.asked++
				return append(made, here.request(setSelectionOwner, 0, window, selection, uint32(0))...)
			},
			here.request(getSelectionOwner, 0, selection),
		},
		"a device's property": {
			func(i int) []byte {
				if i%2 == 0 {
					return here.request(xi, 57, 2, byte(0), byte(8), name, uint32(31), uint32(1), "x")
				}
				return here.request(xi, 58, 2, 0, name)
			},
			here.request(xi, 56, 2, 0),
		},
		"a monitor":              {monitor, here.request(randr, 42, here.root(), byte(0), byte(0), 0)},
		"a monitor, by XINERAMA": {monitor, here.request(majors["XINERAMA"], 5)},
	} {
		t.Run(kind, func(t *testing.T) {
			here.t, far.t = t, t
			var before []byte
			for i := range 40 {
				far.ask(test.ask)
				far.ask(test.ask)
				here.send(append(test.change(i), here.tell(far.window, uint32(i))...))
				here.asked += 2
				far.hearTell()
				got, want := far.ask(test.ask), here.ask(test.ask)
				if !sameReply(got, want) {
					t.Fatalf("%d: %x, want %x", i, got, want)
				}
				if i > 0 && sameReply(want, before) {
					t.Fatalf("%d: nothing changes: %x", i, want)
				}
				before = want
			}
		})
	}
}

// A program's own changes are there at once, and others' when they have said so.
func TestOwnChanges(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	a, b := newWitness(t, path, server.Cookie, x11.LittleEndian), newWitness(t, path, server.Cookie, x11.LittleEndian)
	property := a.atom("TEST_NUMBER")
	for value := uint32(1); value <= 1000; value++ {
		a.send(a.setNumber(property, value))
		a.asked++
		if value%2 == 0 {
			a.ask(a.request(getInputFocus, 0))
		} else if got := a.number(property); got != value {
			t.Fatalf("a's own property is %d, want %d", got, value)
		}
		for range 3 {
			if got := b.number(property); got != value {
				t.Fatalf("b sees %d, want %d", got, value)
			}
		}
	}
}

// A program of the client's own that has the X server to itself for long, while others are to hear
// something: afterwards nothing is stale.
func TestGrabbedByOthers(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	far := newWitness(t, path, server.Cookie, x11.LittleEndian)
	property := here.atom("TEST_NUMBER")
	for value := uint32(1); value <= 3; value++ {
		far.number(property)
		// Of what far hears the X server has said some before the grab, and some in it.
		here.send(slices.Concat(here.tell(far.window, value), here.request(grabServer, 0), here.setNumber(property, value), here.tell(far.window, value)))
		here.asked += 4
		far.hearTell()
		far.hearTell()
		time.Sleep(2 * fenceTime) // of which the near half has given up waiting
		here.send(here.request(ungrabServer, 0))
		here.asked++
		if got := far.number(property); got != value {
			t.Fatalf("the property is %d, want %d", got, value)
		}
	}
}

// A program behind the pair that has the X server to itself sees what is so then.
func TestGrabbedByProgram(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
	a, b := newWitness(t, path, server.Cookie, x11.LittleEndian), newWitness(t, path, server.Cookie, x11.BigEndian)
	property := here.atom("TEST_NUMBER")
	for value := uint32(1); value <= 300; value++ {
		here.ask(here.request(getInputFocus, 0))
		b.number(property)
		a.send(a.request(grabServer, 0))
		a.asked++
		before := a.number(property)
		here.send(here.setNumber(property, value)) // when a is done
		here.asked++
		if after := a.number(property); after != before {
			t.Fatalf("the property was %d and is %d in the same grab", before, after)
		}
		a.send(a.request(ungrabServer, 0))
		a.asked++
		here.ask(here.request(getInputFocus, 0))
		if got := b.ask(b.request(getInputFocus, 0)); got == nil {
			t.Fatal("b hears nothing")
		}
		if got := b.number(property); got != value {
			t.Fatalf("b sees %d, want %d", got, value)
		}
	}
}

// What is kept is told until something changes, or may.
func TestWatched(t *testing.T) {
	var notices []word
	w := newWatched(func(b []byte) error { notices = append(notices, words(b)...); return nil })
	about := topic{properties, 7, 39}
	key, reply := "l\x14", []byte("reply")
	is := func(when string, want bool) {
		t.Helper()
		if got := w.get(key, about) != nil; got != want {
			t.Errorf("%s: known is %t", when, got)
		}
	}
	learn := func() { w.put(key, w.now(about), reply) }
	hear := func(all ...word) {
		for _, one := range all {
			w.take(one.append(nil), 1)
		}
	}
	on := func(n uint32) word { return word{opOn, topic{a: n}} }
	learn()
	hear(on(0))
	is("unwatched", false)
	learn()
	hear(word{opWatching, topic{kind: properties, a: 7}})
	is("not learned while watched", false)
	learn()
	is("learned", true)
	hear(word{opChanged, topic{properties, 7, 40}})
	is("after another's change", true)
	early := w.now(about)
	hear(word{opChanged, about})
	is("after its change", false)
	w.put(key, early, reply)
	is("with what was asked before", false)
	learn()
	hear(word{opChanged, topic{}})
	is("after a change of everything", false)
	learn()
	w.change(about)
	is("with a change on the way", false)
	learn()
	w.changed(about)
	is("learned with a change on the way", false)
	learn()
	w.grab()
	w.grab()
	is("in a grab", false)
	w.ungrab()
	hear(on(0))
	is("in half a grab", false)
	w.ungrab()
	hear(on(0))
	is("with an old word", false)
	hear(on(1))
	is("after the grab", true)
	hear(word{op: opOff})
	is("off", false)
	hear(on(1))
	is("on again", true)
	if diff := cmp.Diff([]word{{op: opGrab}, {opUngrab, topic{a: 1}}}, notices, cmp.AllowUnexported(word{}, topic{})); diff != "" {
		t.Error(diff)
	}
}

// A fence that hears nothing in time says so, and says later when it does.
func TestSilentServer(t *testing.T) {
	w := newWatch()
	if got := w.fence(0); len(got) > 0 {
		t.Errorf("before the connection: %q", got)
	}
	asked, woken := 0, 0
	w.ask = func([]byte) error { asked++; return nil }
	w.wake = func() { woken++ }
	said := func() (ops string) {
		for _, one := range words(w.fence(0)) {
			ops += string(one.op)
		}
		return ops
	}
	w.question(false)
	w.answered(nil)
	if got := said(); woken != 1 || got != "+-" { // it waits for the second answer
		t.Errorf("%q, woken %d times", got, woken)
	}
	w.note(topic{kind: screens})
	w.answered(nil)
	if got := said(); woken != 2 || got != "c+-" {
		t.Errorf("%q, woken %d times", got, woken)
	}
	w.take(word{op: opGrab}.append(nil))
	w.answered(nil)
	if got := said(); asked != 3 || got != "" {
		t.Errorf("in a grab: %q, asked %d times", got, asked)
	}
	w.take(word{opUngrab, topic{a: 5}}.append(nil))
	w.answered(nil)
	if got := words(w.said); len(got) != 1 || got[0] != (word{opOn, topic{a: 5}}) {
		t.Errorf("after the grab: %v", got)
	}
	w.close()
	if got := said(); got != "+-" || w.on {
		t.Errorf("at the end: %q, on is %t", got, w.on)
	}
}

// What is asked about a window that is no root is not answered once the window has gone.
func TestWindowThatGoes(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	w := newWitness(t, path, server.Cookie, x11.LittleEndian)
	randr := x11.ParseExtensionReply(w.ask(w.request(x11.QueryExtension, 0, 5, 0, "RANDR"))).Major
	xinerama := x11.ParseExtensionReply(w.ask(w.request(x11.QueryExtension, 0, 8, 0, "XINERAMA"))).Major
	w.ask(w.request(randr, 0, uint32(1), uint32(6)))
	monitors, count := w.request(randr, 42, w.window, byte(1), byte(0), 0), w.request(xinerama, 2, w.window)
	for range 200 { // until it is watched, and then some
		for _, request := range [][]byte{monitors, count} {
			if got := w.ask(request); x11.Kind(got) != x11.Reply {
				t.Fatalf("%x", got)
			}
		}
	}
	w.send(w.request(destroyWindow, 0, w.window))
	w.asked++
	w.ask(w.request(getInputFocus, 0))
	for _, request := range [][]byte{monitors, count} {
		if got := w.ask(request); x11.Kind(got) != x11.Error {
			t.Errorf("an answer about a window that is not there: %x", got)
		}
	}
}

// Programs may have different core keyboards where there are several: none is told another's map.
func TestSeveralKeyboards(t *testing.T) {
	const queryVersion, changeHierarchy, setClientPointer, queryDevice = 47, 43, 44, 48
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late=%t", late), func(t *testing.T) {
			server := xtest.Start(t)
			here := newWitness(t, server.Path(), server.Cookie, x11.LittleEndian)
			xi := x11.ParseExtensionReply(here.ask(here.request(x11.QueryExtension, 0, 15, 0, "XInputExtension"))).Major
			here.ask(here.request(xi, queryVersion, 2, 2))
			add := func() {
				here.send(here.request(xi, changeHierarchy, byte(1), byte(0), 0, 1, 3, 3, byte(1), byte(1), "aux"))
				here.asked++
			}
			if !late {
				add()
			}
			path := startPair(t, server, false)
			a, b := newWitness(t, path, server.Cookie, x11.LittleEndian), newWitness(t, path, server.Cookie, x11.LittleEndian)
			b.ask(b.request(xi, queryVersion, 2, 2))
			mapping := a.request(getKeyboardMapping, 0, byte(38), byte(1), 0)
			if late {
				for range 100 { // until it is watched
					a.ask(mapping)
				}
				add()
			}
			pointer := 0 // the second one's number: those that are there from the start are 2 to 7
			for ; pointer < 20 && x11.Kind(here.ask(here.request(xi, queryDevice, 8+pointer, 0))) != x11.Reply; pointer++ {
			}
			b.send(b.request(xi, setClientPointer, b.window, 8+pointer, 0))
			b.asked++
			for i := range 10 {
				want := uint32(0x62 + i)
				b.send(b.request(changeKeyboardMapping, 1, byte(38), byte(1), 0, want))
				b.asked++
				for range 5 {
					if got := b.order.Uint32(b.ask(mapping)[32:]); got != want {
						t.Fatalf("b sees %x, want %x", got, want)
					}
					if got, want := a.order.Uint32(a.ask(mapping)[32:]), uint32(0x61); got != want {
						t.Fatalf("a sees %x, want %x", got, want)
					}
				}
			}
		})
	}
}
