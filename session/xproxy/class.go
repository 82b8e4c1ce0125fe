package xproxy

import (
	"bytes"

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

	// silent is a plain request without a reply, for which there is a way to know that it
	// cannot fail: see constants.sure.
	silent

	// current is a plain request whose reply, as long as it has no effect, is right until
	// something changes: see constants.topic.
	current

	// constant is a plain request without any effect whose reply is always the same
	// for the same bytes.
	constant

	// allocation is a plain request whose reply is always the same for the same bytes, and of
	// which the server remembers that the program has made it: it passes.
	allocation

	// introduction is a plain request that tells the server something about the program, once, and
	// whose reply is the same for all programs that say the same first.
	introduction
)

// Core requests that need a name here (appendix B).
const (
	createWindow           = 1
	changeWindowAttributes = 2
	getWindowAttributes    = 3
	reparentWindow         = 7
	internAtom             = 16
	getAtomName            = 17
	getProperty            = 20
	grabServer             = 36
	ungrabServer           = 37
	getInputFocus          = 43
	listFontsWithInfo      = 50
	createGC               = 55
	freeGC                 = 60
	allocColor             = 84
	allocNamedColor        = 85
	queryColors            = 91
	lookupColor            = 92
)

// extension is an extension whose requests have at most one reply each, and nothing after
// that but events, as their specifications and xcb-proto say.
type extension struct {
	introductions map[byte]greeting // requests for versions, by minor opcode
	constants     []byte            // minor opcodes of constant requests
	silents       map[byte]subject  // silent requests, by minor opcode
	barriers      bool              // about all others nothing is certain
}

// greeting is what has to be known of an introduction.
type greeting struct {
	// counts is how many bytes count behind the head. The rest is padding, in which
	// libraries leave what was there.
	counts int

	// again says that the request leaves nothing behind: every one gets the reply of the first.
	again bool
}

// subject is what a silent request has to be about to fail always or never.
type subject byte

const (
	itself      subject = iota // nothing else
	root                       // a root window
	keyboard                   // the core keyboard
	rootDevices                // a root window, for events of all devices that any number of programs can have
	ownWindow                  // a root window, or one that the program has made
)

// Extensions that need a name here.
const (
	bigRequests = "BIG-REQUESTS"
	xkeyboard   = "XKEYBOARD"
)

// coreKeyboard is XkbUseCoreKbd (XKB protocol, section 4.3).
const coreKeyboard = 0x100

var versions = map[byte]greeting{0: {counts: 8}} // major and minor in four bytes each

var extensions = map[string]extension{
	bigRequests:               {introductions: map[byte]greeting{x11.BigReqEnable: {}}},
	"Composite":               {introductions: versions},
	"DAMAGE":                  {introductions: versions},
	"DOUBLE-BUFFER":           {introductions: map[byte]greeting{0: {counts: 2}}},
	"DPMS":                    {introductions: map[byte]greeting{0: {counts: 4}}},
	"Generic Event Extension": {introductions: map[byte]greeting{0: {counts: 4}}},
	"MIT-SCREEN-SAVER":        {introductions: map[byte]greeting{0: {counts: 2}}},
	"RANDR":                   {introductions: versions, silents: map[byte]subject{4: root}}, // SelectInput
	"RENDER":                  {introductions: versions},
	"SHAPE":                   {introductions: map[byte]greeting{0: {}}},
	"SYNC":                    {introductions: map[byte]greeting{0: {counts: 2}}},
	"XC-MISC":                 {introductions: map[byte]greeting{0: {counts: 4}}},
	"XFIXES":                  {introductions: versions, silents: map[byte]subject{xfixesSelectSelectionInput: ownWindow}},
	"XINERAMA":                {introductions: map[byte]greeting{0: {counts: 4}}},
	"XTEST":                   {introductions: map[byte]greeting{0: {counts: 4}}},
	"XVideo":                  {introductions: map[byte]greeting{0: {}}},

	// GetExtensionVersion, which servers only look at, and XIQueryVersion.
	"XInputExtension": {
		introductions: map[byte]greeting{1: {counts: maxKey, again: true}, 47: {counts: 4}},
		silents:       map[byte]subject{46: rootDevices}, // XISelectEvents
	},

	// UseExtension, for which see ledger.fits, and SelectEvents.
	xkeyboard: {introductions: map[byte]greeting{0: {counts: 4}}, silents: map[byte]subject{1: keyboard}},

	// QueryVersion, which servers only look at; GetVisualConfigs, QueryExtensionsString, QueryServerString, GetFBConfigs; ClientInfo,
	// SetClientInfoARB, SetClientInfo2ARB. What a driver makes of the others is its own affair.
	"GLX": {
		introductions: map[byte]greeting{7: {counts: 8, again: true}}, constants: []byte{14, 18, 19, 21},
		silents: map[byte]subject{20: itself, 33: itself, 35: itself}, barriers: true,
	},
}

// server is what the scout has learned about the X server.
type server struct {
	classes   [256]map[byte]class    // of extensions' requests, by major and minor opcode
	greetings [256]map[byte]greeting // of introductions
	subjects  [256]map[byte]subject  // of extensions' silent requests
	others    [256]class             // of those that are not in classes, and of core requests
	majors    map[string]byte        // opcodes of extensions
	uses      [256]use               // of extensions, by major opcode
	bigReq    byte                   // major opcode of BIG-REQUESTS; 0 where there is none
	randr, xi byte                   // and of others
	xfixes    byte
	xkb       byte
	families  map[[2]byte]family // requests for properties, by their opcodes
	colormaps map[uint32]visual  // default colormaps of TrueColor visuals
	roots     map[uint32]bool    // root windows
}

// newServer describes a server that gave these opcodes to extensions.
func newServer(majors map[string]byte) *server {
	s := &server{majors: majors, bigReq: majors[bigRequests], xkb: majors[xkeyboard], randr: majors["RANDR"], xi: majors["XInputExtension"], xfixes: majors["XFIXES"]}
	for major := 1; major < x11.FirstExtension; major++ {
		s.others[major] = plain
	}
	s.others[listFontsWithInfo] = barrier // many replies
	for _, major := range []byte{internAtom, getAtomName, x11.QueryExtension, x11.ListExtensions, queryColors, lookupColor} {
		s.others[major] = constant
	}
	s.others[allocColor], s.others[allocNamedColor] = allocation, allocation // for FreeColors
	for _, major := range []byte{changeWindowAttributes, createGC, freeGC, grabServer, ungrabServer} {
		s.others[major] = silent
	}
	for _, major := range []byte{getGeometry, getProperty, listProperties, getSelectionOwner, getKeyboardMapping, getModifierMapping} {
		s.others[major] = current
	}
	for major := range coreFleeting {
		s.others[major] = current
	}
	s.families = families(s.xi, s.randr)
	for name, e := range extensions {
		if major := majors[name]; major >= x11.FirstExtension {
			s.addExtension(major, e)
			s.addUse(major, uses[name])
		}
	}
	return s
}

func (s *server) addExtension(major byte, e extension) {
	if s.others[major] = plain; e.barriers {
		s.others[major] = barrier
	}
	classes := make(map[byte]class)
	for minor := range e.introductions {
		classes[minor] = introduction
	}
	for _, minor := range e.constants {
		classes[minor] = constant
	}
	for minor := range e.silents {
		classes[minor] = silent
	}
	s.classes[major], s.greetings[major], s.subjects[major] = classes, e.introductions, e.silents
}

// class returns a request's class, by its opcodes.
func (s *server) class(r x11.Request) class {
	if c, ok := s.classes[r.Major][r.Minor]; ok {
		return c
	}
	return s.others[r.Major]
}

// about reports whether a whole silent request of an extension is about what it has to be.
func (s *server) about(o x11.Order, r x11.Request, whole []byte) bool {
	subject, ok := s.subjects[r.Major][r.Minor]
	switch {
	case !ok:
		return false
	case subject == itself:
		return true
	case len(whole) < 8:
		return false
	case subject == root:
		return s.roots[o.Uint32(whole[4:])]
	case subject == rootDevices:
		return s.roots[o.Uint32(whole[4:])] && selectsDevices(o, whole)
	}
	return subject == keyboard // see constants.sure
}

// aboutNone reports whether a whole request asks about window 0, which is none: it fails always.
func aboutNone(o x11.Order, r x11.Request, whole []byte) bool {
	return (r.Major == getWindowAttributes || r.Major == getGeometry) && len(whole) == 8 && o.Uint32(whole[4:]) == 0
}

// detailSizes are those of the details in XKEYBOARD's SelectEvents, by event type, in bytes (XKB protocol, section 16.3.1).
// MapNotify has its own fields.
var detailSizes = [12]int{2, 0, 2, 4, 4, 4, 2, 1, 1, 1, 2, 2}

// hearsMore reports whether a whole SelectEvents of XKEYBOARD can only ask for more than before: it clears nothing, and of
// all that it affects it wants all.
func hearsMore(o x11.Order, whole []byte) bool {
	if len(whole) < 16 || o.Uint16(whole[8:]) != 0 || o.Uint16(whole[12:]) != o.Uint16(whole[14:]) {
		return false
	}
	explicit, details := o.Uint16(whole[6:])&^o.Uint16(whole[10:]), whole[16:]
	for kind, size := range detailSizes {
		if explicit>>kind&1 == 0 {
			continue
		}
		if len(details) < 2*size || !bytes.Equal(details[:size], details[size:2*size]) {
			return false
		}
		details = details[2*size:]
	}
	return len(details) < 4 // padding
}

// selectsDevices reports whether a whole XISelectEvents asks for DeviceChanged, HierarchyChanged or PropertyEvent of all
// devices (XI2proto, section 6): one mask of four bytes, for one of the two numbers that always are.
func selectsDevices(o x11.Order, whole []byte) bool {
	const shared = 1<<1 | 1<<11 | 1<<12
	return len(whole) == 20 && o.Uint16(whole[8:]) == 1 && o.Uint16(whole[12:]) <= allMasterDevices &&
		o.Uint16(whole[14:]) == 1 && o.Uint32(whole[16:])&^shared == 0
}
