package xproxy

import (
	"sync"

	"goldm/internal/x11"
)

// class says what a request is, to who wants to answer it.
type class byte

const (
	// barrier is a request about whose answers nothing is known.
	barrier class = iota

	// plain is a request with at most one reply, or an error, and nothing after it
	// but events.
	plain

	// constant is a plain request without any effect whose reply is always the same
	// for the same bytes.
	constant

	// introduction is a plain request that tells the server something about the program, once, and
	// whose reply is the same for all programs that say the same first.
	introduction
)

// Core requests that need a name here (appendix B).
const (
	getProperty       = 20
	internAtom        = 16
	getAtomName       = 17
	getInputFocus     = 43
	listFontsWithInfo = 50
	createGC          = 55
	allocColor        = 84
	allocNamedColor   = 85
	queryColors       = 91
	lookupColor       = 92
)

// extension is an extension whose requests have at most one reply each, and nothing after
// that but events, as their specifications and xcb-proto say.
type extension struct {
	introductions []byte // minor opcodes of requests for versions
	constants     []byte // minor opcodes of constant requests
	barriers      bool   // about all others nothing is certain
}

const xkeyboard = "XKEYBOARD"

var extensions = map[string]extension{
	"BIG-REQUESTS":            {introductions: []byte{x11.BigReqEnable}},
	"Composite":               {introductions: []byte{0}},
	"DAMAGE":                  {introductions: []byte{0}},
	"DOUBLE-BUFFER":           {introductions: []byte{0}},
	"DPMS":                    {introductions: []byte{0}},
	"Generic Event Extension": {introductions: []byte{0}},
	"MIT-SCREEN-SAVER":        {introductions: []byte{0}},
	"RANDR":                   {introductions: []byte{0}},
	"RENDER":                  {introductions: []byte{0}},
	"SHAPE":                   {introductions: []byte{0}},
	"SYNC":                    {introductions: []byte{0}},
	"XC-MISC":                 {introductions: []byte{0}},
	"XFIXES":                  {introductions: []byte{0}},
	"XINERAMA":                {introductions: []byte{0}},
	"XInputExtension":         {introductions: []byte{1, 47}}, // GetExtensionVersion, XIQueryVersion
	xkeyboard:                 {introductions: []byte{0}},     // UseExtension; see ledger.fits
	"XTEST":                   {introductions: []byte{0}},
	"XVideo":                  {introductions: []byte{0}},

	// GetVisualConfigs, QueryExtensionsString, QueryServerString, GetFBConfigs. What a
	// driver makes of the others is its own affair.
	"GLX": {introductions: []byte{7}, constants: []byte{14, 18, 19, 21}, barriers: true},
}

const (
	// maxKey bounds a request that may be answered here, in bytes.
	maxKey = 512

	// maxKept bounds a reply that is kept, maxKeptAll all of them, in bytes.
	maxKept    = 256 << 10
	maxKeptAll = 4 << 20
)

// server is what the scout has learned about the X server.
type server struct {
	classes   [256]map[byte]class // of extensions' requests, by major and minor opcode
	others    [256]class          // of those that are not in classes, and of core requests
	bigReq    byte                // major opcode of BIG-REQUESTS; 0 where there is none
	xkb       byte                // and of XKEYBOARD
	colormaps map[uint32]bool     // default colormaps of TrueColor visuals
}

// newServer describes a server that gave these opcodes to extensions.
func newServer(majors map[string]byte) *server {
	s := &server{colormaps: make(map[uint32]bool)}
	for major := 1; major < x11.FirstExtension; major++ {
		s.others[major] = plain
	}
	s.others[listFontsWithInfo] = barrier // many replies
	for _, major := range []byte{internAtom, getAtomName, x11.QueryExtension, x11.ListExtensions, allocColor, allocNamedColor, queryColors, lookupColor} {
		s.others[major] = constant
	}
	for name, e := range extensions {
		if major := majors[name]; major >= x11.FirstExtension {
			s.addExtension(major, e)
		}
	}
	s.bigReq, s.xkb = majors["BIG-REQUESTS"], majors[xkeyboard]
	return s
}

func (s *server) addExtension(major byte, e extension) {
	if s.others[major] = plain; e.barriers {
		s.others[major] = barrier
	}
	s.classes[major] = make(map[byte]class)
	for _, minor := range e.introductions {
		s.classes[major][minor] = introduction
	}
	for _, minor := range e.constants {
		s.classes[major][minor] = constant
	}
}

// class returns a request's class, by its opcodes.
func (s *server) class(r x11.Request) class {
	if c, ok := s.classes[r.Major][r.Minor]; ok {
		return c
	}
	return s.others[r.Major]
}

// constants holds the replies of one X server. It may be used from several goroutines.
type constants struct {
	server *server

	mu      sync.Mutex
	replies map[string][]byte
	size    int
}

func newConstants(s *server) *constants {
	return &constants{server: s, replies: make(map[string][]byte)}
}

// get returns the reply to a request, but for its sequence number; nil where it is not known.
func (c *constants) get(key string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replies[key]
}

// put keeps a reply.
func (c *constants) put(key string, reply []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := len(key) + len(reply)
	if _, known := c.replies[key]; known || c.size+more > maxKeptAll {
		return
	}
	c.size += more
	c.replies[key] = reply
}

// key returns what a whole constant request or introduction is known by: its byte order and bytes; ""
// where it is none after all.
func (s *server) key(o x11.Order, r x11.Request, whole []byte) string {
	if r.Head != 4 {
		return ""
	}
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
	case allocColor, allocNamedColor, queryColors, lookupColor:
		if len(whole) < 8 || !s.colormaps[o.Uint32(whole[4:])] {
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
