package xproxy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// programs is how many there are at a time.
const programs = 4

// TestSameView has programs say random things to an X server alone and to one like it
// through the pair, and compares what they see, byte for byte. Several are there at a time;
// what they make is their own, so that only what they say themselves decides about it.
func TestSameView(t *testing.T) {
	for _, plain := range []bool{true, false} {
		t.Run(fmt.Sprintf("plain=%t", plain), func(t *testing.T) {
			args := []string{"-screen", "0", "1024x768x24"}
			alone, behind := xtest.Start(t, args...), xtest.Start(t, args...)
			defer startScout(t, alone).Close() // it makes atoms, whose numbers are by order
			defer startScout(t, behind).Close()
			path := startPair(t, behind, plain)
			majors := prepare(t, alone.Path(), alone.Cookie)
			prepare(t, path, behind.Cookie)
			order := func(i int) x11.Order { return []x11.Order{x11.LittleEndian, x11.BigEndian}[i%3/2] }
			both := sides(
				func(i int) *xclient { return dial(t, alone.Path(), alone.Cookie, order(i)) },
				func(i int) *xclient { return dial(t, path, behind.Cookie, order(i)) })
			var tasks sync.WaitGroup
			for i := range programs {
				tasks.Go(func() { compare(t, i, majors, both[0][i], both[1][i]) })
			}
			tasks.Wait()
		})
	}
}

// sides connects programs to both sides, with the same numbers. X servers give the lowest that is free, and
// those of the far half's own programs become free when they like: others fill the gaps.
func sides(alone, behind func(i int) *xclient) (both [2][programs]*xclient) {
	for i := range programs {
		a, b := alone(i), behind(i)
		for a.base() != b.base() {
			if a.base() < b.base() {
				a = alone(i)
			} else {
				b = behind(i)
			}
		}
		both[0][i], both[1][i] = a, b
	}
	return both
}

// startScout does what a far half's scout does.
func startScout(t *testing.T, s *xtest.Server) net.Conn {
	conn, err := net.Dial("unix", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	c, err := explore(conn, conn, s.Cookie, newWatched(unheard))
	if err != nil {
		t.Fatal(err)
	}
	for root := range c.server.roots { // the first to ask for monitors makes atoms of their names
		conn.Write(appendUnits(nil, c.server.randr, 42, root, 1))
		if _, err := readReply(conn); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

var testAtoms = func() (names []string) {
	for i := range 40 {
		names = append(names, fmt.Sprintf("TEST_%d%s", i, strings.Repeat("x", i%7)))
	}
	return names
}()

// prepare makes the atoms that programs ask for, so that their order does not matter, and
// returns extensions' opcodes.
func prepare(t *testing.T, path string, cookie []byte) (majors map[string]byte) {
	c := dial(t, path, cookie, x11.LittleEndian)
	defer c.conn.Close()
	for i, name := range testAtoms {
		c.send(c.request(internAtom, 0, len(name), 0, name))
		c.until(i + 1)
	}
	majors = make(map[string]byte)
	for name := range extensions {
		c.send(c.request(x11.QueryExtension, 0, len(name), 0, name))
		majors[name] = x11.ParseExtensionReply(c.until(len(testAtoms) + 1 + len(majors))[0]).Major
	}
	// Where no window will be: programs ask for the pointer while others make some.
	c.send(append(c.request(41, 0, uint32(0), c.root(), 0, 0, 0, 0, 1000, 10), c.request(getInputFocus, 0)...))
	c.until(len(testAtoms) + len(majors) + 2)
	return majors
}

// rounds is how many batches a program says.
const rounds = 150

// compare says the same random things on both sides.
func compare(t *testing.T, i int, majors map[string]byte, alone, behind *xclient) {
	var sequence int
	talk := &talker{c: alone, r: rand.New(rand.NewPCG(7, uint64(i))), x: i * 150, majors: majors}
	for _, c := range []*xclient{alone, behind} {
		selection := watchedSelections[i%len(watchedSelections)]
		c.send(c.request(internAtom, 0, len(testAtoms[i]), 0, testAtoms[i]))
		talk.own = c.order.Uint32(c.until(1)[0][8:])
		c.send(c.request(internAtom, 0, len(selection), 0, selection))
		talk.selection = c.order.Uint32(c.until(2)[0][8:])
	}
	sequence = 2
	for round := range rounds {
		var said []byte
		var names []string
		for range 1 + talk.r.IntN(12) {
			name, request := talk.next()
			names = append(names, name)
			said = append(said, request...)
			sequence += talk.count(request)
		}
		last := talk.asks()
		said = append(said, last...)
		sequence++
		parts := []int{1 + talk.r.IntN(len(said)), 1 + talk.r.IntN(len(said))}
		slices.Sort(parts)
		var got [2][][]byte
		for side, c := range []*xclient{alone, behind} {
			c.send(said[:parts[0]])
			c.send(said[parts[0]:parts[1]])
			c.send(said[parts[1]:])
			got[side] = c.until(sequence)
		}
		if d := difference(got[0], got[1]); d != "" {
			t.Errorf("program %d, round %d, %q and %d: %s", i, round, names, last[0], d)
			return
		}
	}
}

// used is how many bytes of these events say something (appendix B): in the rest Xvfb leaves
// what was there.
var used = map[byte]int{12: 18, 17: 12, 18: 13, 19: 13, 22: 27, 28: 17, 29: 16}

// sizeOfAttributes is that of the reply to GetWindowAttributes, in bytes.
const sizeOfAttributes = 44

// blot blots out what a server may say as it likes: that, times, and which window of another
// program is below.
func blot(m []byte) {
	kind := x11.Kind(m)
	if n, ok := used[kind]; ok {
		m[1] = 0
		clear(m[n:])
	}
	switch kind {
	case 22, 28: // ConfigureNotify, PropertyNotify
		clear(m[12:16])
	case 29: // SelectionClear
		clear(m[4:8])
	case x11.Reply:
		if len(m) == sizeOfAttributes {
			clear(m[32:36]) // what others want to hear of
		}
	case x11.Error:
		clear(m[11:])
		if !slices.Contains([]byte{2, 3, 4, 5, 6, 7, 12, 13, 14}, x11.ErrorCode(m)) {
			clear(m[4:8])
		}
	}
}

// difference says how messages differ.
func difference(want, got [][]byte) string {
	for _, m := range slices.Concat(want, got) {
		blot(m)
	}
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("message %d is too much: %x", i, got[i][:32])
		case i >= len(got):
			return fmt.Sprintf("message %d is missing: %x", i, want[i][:32])
		case !bytes.Equal(want[i], got[i]):
			return fmt.Sprintf("message %d of %d bytes: %x, want %d: %x", i, len(got[i]), got[i][:32], len(want[i]), want[i][:32])
		}
	}
	return ""
}

// talker makes up what a program says.
type talker struct {
	c       *xclient
	r       *rand.Rand
	x       int // where its windows are
	made    uint32
	windows []uint32
	gc      uint32
	big     bool
	majors  map[string]byte

	own, selection uint32 // atoms that no other program uses
}

// count returns how many requests there are.
func (k *talker) count(requests []byte) (n int) {
	for ; len(requests) > 0; n++ {
		r, _ := x11.ParseRequest(k.c.order, requests, true)
		requests = requests[max(r.Size, 4):]
	}
	return n
}

// extension returns an opcode that Xvfb gives, the same on both sides.
func (k *talker) extension(name string) byte { return k.majors[name] }

func (k *talker) id() uint32 {
	k.made++
	return k.c.base() + k.made
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (k *talker) window() uint32 {
	if len(k.windows) == 0 || k.r.IntN(20) == 0 {
		return k.c.base() + 9999 // there is none
	}
	return pick(k.r, k.windows)
}

// atom returns one that is there, most times.
func (k *talker) atom() uint32 { return uint32(k.r.IntN(400)) }

func (k *talker) name() string {
	switch k.r.IntN(4) {
	case 0:
		return pick(k.r, knownAtoms)
	case 1:
		return fmt.Sprintf("NOT_THERE_%d", k.r.IntN(5))
	}
	return pick(k.r, testAtoms)
}

func (k *talker) intern() []byte {
	name, only := k.name(), byte(k.r.IntN(2))
	if strings.HasPrefix(name, "NOT") {
		only = 1
	}
	return k.c.request(internAtom, only, len(name), 0, name)
}

// asks returns a request that has a reply or an error.
func (k *talker) asks() []byte {
	switch k.r.IntN(8) {
	case 0, 1, 2:
		return k.intern()
	case 3:
		return k.c.request(getAtomName, 0, k.atom())
	case 4:
		name := pick(k.r, []string{"RENDER", "RANDR", "NOTHING", "XFIXES", "MIT-SHM", "GLX"})
		return k.c.request(x11.QueryExtension, 0, len(name), 0, name)
	case 5:
		return k.c.request(x11.ListExtensions, 0)
	case 6:
		return k.c.request(254, 7, uint32(1)) // BadRequest
	}
	return k.c.request(getInputFocus, 0)
}

// introduces returns a request for a version.
func (k *talker) introduces() []byte {
	name := pick(k.r, []string{"XFIXES", "RANDR", "RENDER", "Composite", "DAMAGE"})
	switch k.r.IntN(10) {
	case 0:
		return k.c.request(k.extension("XInputExtension"), 47, k.r.IntN(2)+2, k.r.IntN(3))
	case 1:
		return k.c.request(k.extension(xkeyboard), 0, 1, 0)
	case 2:
		return k.c.request(k.extension("Generic Event Extension"), 0, 1, 0)
	case 3:
		return k.c.request(k.extension("SYNC"), 0, byte(3), byte(1), 0)
	case 4:
		return k.c.request(k.extension("SHAPE"), 0)
	case 5:
		return k.c.request(k.extension("XTEST"), 0, byte(2), byte(0), 2)
	case 6:
		k.big = true
		return k.c.request(k.extension("BIG-REQUESTS"), 0)
	}
	return k.c.request(k.extension(name), 0, uint32(k.r.IntN(6)), uint32(k.r.IntN(3)))
}

// watched returns a request about what others do not change either.
func (k *talker) watched() []byte {
	c, r := k.c, k.r
	switch r.IntN(10) {
	case 0:
		return c.request(getSelectionOwner, byte(r.IntN(9)), k.selection)
	case 1, 7:
		const atom, number, text = 4, 6, 31
		property := pick(r, []uint32{k.own, k.own, k.own, 23, 39, 1 << 20}) // two that nobody has, and no atom
		most := pick(r, []uint32{0, 1, 7, 30, 100, 1 << 30, 1<<30 + 3, 1<<32 - 1})
		kind := pick(r, []uint32{0, 0, text, number, atom, 1 << 20})
		return c.request(getProperty, 0, c.root(), property, kind, pick(r, []uint32{0, 0, 1, 5, 60, 1 << 31}), most)
	case 8:
		property, device := pick(r, []uint32{k.atom(), 2, 1 << 20}), pick(r, []int{2, 3, 4, 5, 99})
		return c.request(k.extension("XInputExtension"), xiGetProperty, device, byte(0), byte(r.IntN(9)), property, pick(r, []uint32{0, 19, 4}), uint32(r.IntN(3)), uint32(r.IntN(9)))
	case 9:
		return c.request(getGeometry, byte(r.IntN(9)), c.root())
	}
	return c.request(getModifierMapping, byte(r.IntN(9)))
}

// fleeting returns a request about what nobody tells of.
func (k *talker) fleeting() []byte {
	c, r := k.c, k.r
	window := pick(r, []uint32{c.root(), c.root(), c.root(), k.window()})
	switch r.IntN(6) {
	case 0:
		return c.request(k.extension("XInputExtension"), xiQueryDevice, pick(r, []int{0, 1, 1, 3, 99}), r.IntN(9))
	case 1:
		return c.request(queryPointer, byte(r.IntN(9)), window)
	case 2:
		return c.request(k.extension(xkeyboard), xkbGetState, pick(r, []int{coreKeyboard, 3, 99}), r.IntN(9))
	case 3:
		return c.request(getInputFocus, byte(r.IntN(9)))
	}
	return c.request(getWindowAttributes, byte(r.IntN(9)), window)
}

// next returns any request.
func (k *talker) next() (name string, request []byte) {
	c, r := k.c, k.r
	switch r.IntN(46) {
	default:
		return "asks", k.asks()
	case 0, 1, 2:
		return "introduces", k.introduces()
	case 3:
		id := k.id()
		k.windows = append(k.windows, id)
		const propertyStructureExposure = 1<<22 | 1<<17 | 1<<15
		return "CreateWindow", c.request(1, 0, id, c.root(), k.x+r.IntN(60), r.IntN(700), 1+r.IntN(60), 1+r.IntN(60), 0, 0, uint32(0),
			uint32(1<<9|1<<11), uint32(1), uint32(propertyStructureExposure))
	case 4:
		return "MapWindow", c.request(8, 0, k.window())
	case 5:
		return "UnmapWindow", c.request(10, 0, k.window())
	case 6:
		return "ConfigureWindow", c.request(12, 0, k.window(), 4, 0, uint32(1+r.IntN(50)))
	case 7:
		value := make([]byte, r.IntN(2000))
		return "ChangeProperty", c.request(18, byte(r.IntN(4)), k.window(), k.atom(), uint32(31), byte(8), byte(0), 0, uint32(len(value)), value)
	case 8:
		return "GetProperty", c.request(getProperty, byte(r.IntN(2)), k.window(), k.atom(), uint32(0), uint32(0), uint32(r.IntN(300)))
	case 9:
		if k.gc == 0 {
			k.gc = k.id()
			return "CreateGC", c.request(createGC, 0, k.gc, c.root(), uint32(0))
		}
		return "CreateGC again", c.request(createGC, 0, k.gc, c.root(), uint32(0))
	case 10:
		return "GetGeometry", c.request(14, 0, k.window())
	case 11:
		return "QueryTree", c.request(15, 0, k.window())
	case 12:
		return "AllocColor", c.request(allocColor, 0, c.colormap(), r.IntN(1<<16), r.IntN(256)<<8, r.IntN(4)*21845, r.IntN(9))
	case 13:
		name := pick(r, []string{"red", "Navy Blue", "no such colour"})
		return "AllocNamedColor", c.request(byte(allocNamedColor+7*r.IntN(2)), 0, c.colormap(), len(name), 0, name)
	case 37:
		return "FreeColors", c.request(freeColors, 0, c.colormap(), uint32(0), pick(r, []uint32{0xff0000, 0x000080})) // red and Navy Blue
	case 14:
		return "QueryColors", c.request(queryColors, 0, c.colormap(), uint32(r.IntN(1<<24+9)), uint32(r.IntN(3)))
	case 15:
		return "wrong colormap", c.request(allocColor, 0, c.colormap()+1, 1, 2, 3, 0)
	case 16:
		return "ListFontsWithInfo", c.request(listFontsWithInfo, 0, 5, 1, "*")
	case 17:
		return "too short", c.request(pick(r, []byte{internAtom, getAtomName, 1, 8, x11.QueryExtension, allocColor}), 0)
	case 18:
		return "too long", c.request(pick(r, []byte{internAtom, getAtomName, x11.ListExtensions, x11.QueryExtension}), 0, 1, 0, "xxxxxxxxxxxx")
	case 19:
		return "NoOperation", c.request(x11.NoOperation, 0, make([]byte, r.IntN(2000)))
	case 20:
		event := make([]byte, 32)
		event[0] = pick(r, []byte{33, 12, 22})
		return "SendEvent", c.request(25, 0, k.window(), uint32(0), event)
	case 21:
		width, height := 1+r.IntN(100), 1+r.IntN(100)
		fields := []any{k.window(), k.gc, width, height, 0, 0, byte(0), byte(24), 0, make([]byte, 4*width*height)}
		if k.big && r.IntN(2) == 0 {
			return "big PutImage", c.bigRequest(72, 2, fields...)
		}
		return "PutImage", c.request(72, 2, fields...)
	case 22:
		return "GetKeyboardMapping", c.request(101, 0, byte(8), byte(200), 0)
	case 23:
		return "QueryPictFormats", c.request(k.extension("RENDER"), 1)
	case 27:
		return "grab", append(c.request(grabServer, byte(r.IntN(2))), c.request(ungrabServer, 0)...)
	case 28:
		const structureNotify = 1 << 17
		mask := pick(r, []uint32{structureNotify, structureNotify, 0, 1 << 25})
		return "select on the root", c.request(changeWindowAttributes, 9, c.root(), uint32(eventMaskOnly), mask)
	case 29:
		return "RANDR SelectInput", c.request(k.extension("RANDR"), 4, pick(r, []uint32{c.root(), c.root(), 5}), 11, 0)
	case 36:
		one := []any{c.root(), pick(r, []int{1, 1, 2}), 7, pick(r, []int{0, 1, 2, 99}), 1, pick(r, []uint32{0x1802, 0x1802, 2, 1 << 4})}
		return "XISelectEvents", c.request(k.extension("XInputExtension"), 46, one...)
	case 30:
		return "XKEYBOARD SelectEvents", c.request(k.extension(xkeyboard), 1, pick(r, []int{coreKeyboard, 3, 99}), 7, 0, 7, 255, 255)
	case 31:
		unit := pick(r, []int{1, 1, 2, 4})
		value := make([]byte, unit*r.IntN(100))
		for i := range value {
			value[i] = byte(i) // of two bytes each and four, on both sides the same
		}
		return "ChangeProperty of the root", c.request(18, byte(r.IntN(3)), c.root(), k.own, uint32(31), byte(8*unit), byte(0), 0, uint32(len(value)/unit), value)
	case 32:
		return "DeleteProperty of the root", c.request(deleteProperty, 0, c.root(), k.own)
	case 33:
		return "GetProperty of the root", c.request(getProperty, byte(r.IntN(10)/9), c.root(), k.own, uint32(0), uint32(0), uint32(r.IntN(2)*100))
	case 34:
		return "SetSelectionOwner", append(c.request(setSelectionOwner, 0, k.window(), k.selection, uint32(0)), c.request(getSelectionOwner, byte(r.IntN(9)), k.selection)...)
	case 35:
		return "DestroyWindow", c.request(destroyWindow, 0, k.window())
	case 38:
		window := pick(r, []uint32{c.root(), k.window(), k.window()})
		return "SelectSelectionInput", c.request(k.extension("XFIXES"), 2, window, pick(r, []uint32{k.own, k.own, 39, 1 << 20}), pick(r, []uint32{7, 7, 1, 0, 8}))
	case 39:
		of := pick(r, [][4]int{{1, 0, 5, 5}, {1, 0, 5, 5}, {1, 0, 5, 1}, {1, 0, 1, 5}, {1, 1, 0, 0}, {4, 0, 0x3fff, 0x11}})
		return "XKEYBOARD SelectEvents with details", c.request(k.extension(xkeyboard), 1, pick(r, []int{coreKeyboard, 3, 99}), of[0], of[1], 0, 0, 0, of[2], of[3])
	case 40:
		return "about window 0", c.request(pick(r, []byte{getWindowAttributes, getGeometry}), byte(r.IntN(9)), uint32(0))
	case 41:
		gc := k.gc
		if r.IntN(5) > 0 {
			k.gc = 0
		}
		return "FreeGC", c.request(freeGC, 0, gc)
	case 26:
		return "what is watched", k.watched()
	case 42, 43, 44, 45:
		return "what is fleeting", k.fleeting()
	case 24:
		return "unknown", c.request(byte(120+r.IntN(7)), 0, uint32(5))
	case 25:
		name := k.name()
		if !k.big || strings.HasPrefix(name, "NOT") {
			return "asks", k.asks()
		}
		return "big InternAtom", c.bigRequest(internAtom, 0, len(name), 0, name)
	}
}
