package xproxy

import (
	"bytes"
	"math/bits"
	"sync"

	"goldm/internal/x11"
)

const (
	// maxKey bounds a request that may be answered here, in bytes.
	maxKey = 512

	// maxKept bounds a reply that is kept, maxKeptAll all of them, in bytes.
	maxKept    = 512 << 10
	maxKeptAll = 4 << 20

	// maxComing bounds what has come of replies that are to be kept, of all programs, in bytes.
	maxComing = 8 << 20

	// maxUnread bounds what the far half has answered and no program has read, of all programs, in bytes.
	maxUnread = 16 << 20
)

// constants holds the replies of one X server. It may be used from several goroutines.
type constants struct {
	server  *server
	watched *watched
	touched *touched
	coming  room
	unread  room

	mu      sync.Mutex
	replies map[string][]byte // without errors, nor silent requests that may fail
	names   map[uint32]string // of atoms
	atoms   map[string]uint32 // by name
	colours map[uint32]*colours
	size    int
}

func newConstants(s *server, w *watched) *constants {
	return &constants{
		server:  s,
		watched: w,
		touched: &touched{ids: make(map[uint32]bool)},
		coming:  room{most: maxComing},
		unread:  room{most: maxUnread},
		replies: make(map[string][]byte),
		names:   make(map[uint32]string),
		atoms:   make(map[string]uint32),
		colours: make(map[uint32]*colours),
	}
}

// get returns the reply to a constant request or introduction with a key, but for its
// sequence number; nil where it is not known. For a silent one it is empty.
func (c *constants) get(key string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reply := c.replies[key]; reply != nil {
		return reply
	}
	return c.derive(x11.Order(key[0]), []byte(key[1:]))
}

// derive returns the reply to a request that follows from those to others; nil where none does.
func (c *constants) derive(o x11.Order, request []byte) []byte {
	switch request[0] {
	case internAtom:
		if atom := c.atoms[string(request[1:])]; atom != 0 {
			return atomReply(o, atom)
		}
	case getAtomName:
		if name := c.names[o.Uint32(request[4:])]; name != "" {
			return atomNameReply(o, name)
		}
	case allocColor:
		if colours := c.colours[o.Uint32(request[4:])]; colours != nil {
			return colours.alloc(o, request)
		}
	case queryColors:
		if colours := c.colours[o.Uint32(request[4:])]; colours != nil {
			return colours.query(o, request)
		}
	}
	return nil
}

// atomReply is the reply to InternAtom.
func atomReply(o x11.Order, atom uint32) []byte {
	reply := make([]byte, x11.AnswerHead)
	reply[0] = x11.Reply
	o.PutUint32(reply[8:], atom)
	return reply
}

// atomNameReply is the reply to GetAtomName.
func atomNameReply(o x11.Order, name string) []byte {
	reply := make([]byte, x11.AnswerHead+x11.Pad(len(name)))
	reply[0] = x11.Reply
	o.PutUint32(reply[4:], uint32(x11.Pad(len(name))/4))
	o.PutUint16(reply[8:], uint16(len(name)))
	copy(reply[x11.AnswerHead:], name)
	return reply
}

// put keeps a reply; of a silent request that went well, an empty one.
func (c *constants) put(key string, reply []byte) {
	o := x11.Order(key[0])
	switch key[1] {
	case internAtom:
		c.putAtom(o.Uint32(reply[8:]), key[2:])
		return
	case getAtomName:
		if n := int(o.Uint16(reply[8:])); n <= len(reply)-x11.AnswerHead {
			c.putAtom(o.Uint32([]byte(key[5:])), string(reply[x11.AnswerHead:][:n]))
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.replies[key]; !known && c.room(len(key)+len(reply)) {
		c.replies[key] = reply
	}
}

// room makes room for more bytes, as long as there is some.
func (c *constants) room(more int) bool {
	if c.size+more > maxKeptAll {
		return false
	}
	c.size += more
	return true
}

// putAtom keeps the name of an atom.
func (c *constants) putAtom(atom uint32, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.atoms[name]; known || name == "" || atom == 0 || !c.room(2*len(name)) {
		return
	}
	c.atoms[name], c.names[atom] = atom, name
}

// isAtom reports whether there is such an atom for certain.
func (c *constants) isAtom(atom uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return atom != 0 && atom <= lastPredefined || c.names[atom] != ""
}

// atom returns an atom that is known; 0 for none.
func (c *constants) atom(name string) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.atoms[name]
}

func (c *constants) putColours(colormap uint32, colours *colours) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.colours[colormap] = colours
}

// sure reports whether a silent request, with its key if it has one, cannot fail. first says
// that the program has said nothing like it before: a second one could take back what the first one asked for, and
// events would have to tell which came before it.
func (c *constants) sure(o x11.Order, r x11.Request, whole []byte, key string, first bool) bool {
	switch {
	case r.Major == grabServer || r.Major == ungrabServer:
		return r.Size == 4
	case r.Major == changeWindowAttributes:
		return first && c.server.selects(o, whole)
	}
	if r.Major == c.server.xkb && !(c.watched.coreKeyboard(o.Uint16(whole[4:])) && (first || hearsMore(o, whole))) {
		return false
	}
	return (first || r.Major == c.server.xkb) && key != "" && c.get(key) != nil
}

// makesFirst reports whether a whole CreateGC that is the first to make anything cannot fail: with a number of
// the program's for a root window, and with nothing but the colours that Xlib's has.
func (s *server) makesFirst(o x11.Order, whole []byte, own ids) bool {
	const foreground, background = 1 << 2, 1 << 3
	if len(whole) < 16 || !own.has(o.Uint32(whole[4:])) || !s.roots[o.Uint32(whole[8:])] {
		return false
	}
	values := o.Uint32(whole[12:])
	return values&^(foreground|background) == 0 && len(whole) == 16+4*bits.OnesCount32(values)
}

// What ChangeWindowAttributes may ask for without failing: events that any number of
// programs can have (section 9, CreateWindow; section 8, SETofEVENT).
const (
	eventMaskOnly   = 1 << 11
	exclusiveEvents = 1<<2 | 1<<18 | 1<<20 // ButtonPress, ResizeRedirect, SubstructureRedirect
	allEvents       = 1<<25 - 1
)

// selects reports whether a whole ChangeWindowAttributes asks for events of a root window,
// and cannot fail.
func (s *server) selects(o x11.Order, whole []byte) bool {
	if len(whole) != 16 || !s.roots[o.Uint32(whole[4:])] || o.Uint32(whole[8:]) != eventMaskOnly {
		return false
	}
	return o.Uint32(whole[12:])&(exclusiveEvents|^uint32(allEvents)) == 0
}

// key returns what a whole request is known by: its byte order and those of its bytes that
// count; "" where nothing is known of such requests.
func (s *server) key(o x11.Order, r x11.Request, whole []byte) string {
	if r.Head != 4 {
		return ""
	}
	whole = bytes.Clone(whole)
	s.blank(r, whole)
	switch s.class(r) {
	case silent:
		if !s.about(o, r, whole) {
			return ""
		}
	case introduction:
		whole = whole[:min(len(whole), r.Head+s.greetings[r.Major][r.Minor].counts)]
	case constant, allocation:
		return s.constantKey(o, r, whole)
	case current:
	default:
		return ""
	}
	return string(o) + string(whole)
}

func (s *server) constantKey(o x11.Order, r x11.Request, whole []byte) string {
	switch r.Major {
	case internAtom, x11.QueryExtension:
		name, ok := nameOf(o, whole)
		if !ok {
			return ""
		}
		// An atom that exists is the same whether or not it was to be made.
		return string(o) + string(r.Major) + name
	case getAtomName:
		if len(whole) != 8 {
			return ""
		}
	case x11.ListExtensions:
		if len(whole) != 4 {
			return ""
		}
	case allocColor:
		if len(whole) != 16 {
			return ""
		}
		whole = whole[:14]
		fallthrough
	case allocNamedColor, queryColors, lookupColor:
		if len(whole) < 8 {
			return ""
		}
		if _, ok := s.colormaps[o.Uint32(whole[4:])]; !ok {
			return ""
		}
	}
	return string(o) + string(whole)
}

// nameOf returns the name in an InternAtom or QueryExtension.
func nameOf(o x11.Order, whole []byte) (string, bool) {
	if len(whole) < 8 {
		return "", false
	}
	n := int(o.Uint16(whole[4:]))
	if len(whole) != 8+x11.Pad(n) {
		return "", false
	}
	return string(whole[8 : 8+n]), true
}

// keeps reports whether a reply to a request of this major opcode holds for ever.
func keeps(o x11.Order, major byte, head []byte) bool {
	// The absence of an atom ends when somebody makes it.
	return major != internAtom || o.Uint32(head[8:]) != 0
}
