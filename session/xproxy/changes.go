package xproxy

import (
	"slices"

	"goldm/internal/x11"
)

// Core requests that change what is watched, or ask for it (appendix B).
const (
	destroyWindow         = 4
	destroySubwindows     = 5
	changeProperty        = 18
	deleteProperty        = 19
	setSelectionOwner     = 22
	getSelectionOwner     = 23
	changeKeyboardMapping = 100
	getKeyboardMapping    = 101
	changeKeyboardControl = 102
	killClient            = 113
	rotateProperties      = 114
	setModifierMapping    = 118
	getModifierMapping    = 119
)

// Requests of extensions that are special.
const (
	randrGetOutputProperty = 15
	xiGetProperty          = 59
)

// use says what of an extension is watched.
type use struct {
	asks     kind   // what the following are about
	current  []byte // minor opcodes of requests whose replies are right until that changes
	harmless []byte // and of others that change nothing
	changes  []kind // what all the rest may change

	padding map[byte]span // in requests that are current, by minor opcode
	windows []byte        // minor opcodes of those that are about a window, which has to be a root: others go
}

// span is a stretch of a request: from one byte to before another.
type span struct{ from, to int }

var uses = map[string]use{
	// GetScreenSizeRange, GetOutputInfo, ListOutputProperties, QueryOutputProperty, GetOutputProperty, GetCrtcInfo,
	// GetOutputPrimary, GetMonitors; not GetScreenResourcesCurrent, which has modes: nobody is told of new ones.
	// QueryVersion, SelectInput, GetScreenResourcesCurrent.
	"RANDR": {
		screens, []byte{6, 9, 10, 11, randrGetOutputProperty, 20, 31, 42}, []byte{0, 4, 25}, []kind{screens},
		map[byte]span{randrGetOutputProperty: {26, 28}, 42: {9, 12}}, []byte{6, 31, 42},
	},

	// QueryPictFormats: the order of subpixels changes with a screen's rotation.
	"RENDER": {asks: screens, current: []byte{1}},

	// GetState, GetScreenCount, GetScreenSize, IsActive, QueryScreens.
	"XINERAMA": {asks: screens, current: []byte{1, 2, 3, 4, 5}, windows: []byte{1, 2, 3}},

	// XIListProperties, XIGetProperty; not XIQueryDevice, which has where the pointer is. Versions, other queries,
	// and what asks for events.
	"XInputExtension": {
		devices, []byte{56, xiGetProperty}, []byte{1, 2, 40, 46, 47, 48, 50, 60}, []kind{devices, keys},
		map[byte]span{56: {6, 8}, xiGetProperty: {7, 8}}, nil,
	},

	// GetControls, GetMap, GetCompatMap, GetIndicatorMap, GetNames. UseExtension, SelectEvents, Bell, PerClientFlags,
	// other queries.
	xkeyboard: {
		keys, []byte{6, 8, 10, 13, 17}, []byte{0, 1, 3, 4, 12, 15, 19, 21, 22, 24}, []kind{keys},
		map[byte]span{6: {6, 8}, 8: {26, 28}, 13: {6, 8}, 17: {6, 8}}, nil,
	},

	// GetVersion, CompareCursor. A key from another keyboard brings that one's map.
	"XTEST": {harmless: []byte{0, 1}, changes: []kind{keys}},
}

// addUse notes the use of an extension.
func (s *server) addUse(major byte, u use) {
	for _, minor := range u.current {
		s.classes[major][minor] = current
	}
	s.uses[major] = u
}

// blank clears what does not count in a request: the second byte of core requests that have
// nothing there, and padding.
func (s *server) blank(r x11.Request, request []byte) {
	padding := s.uses[r.Major].padding[r.Minor]
	if r.Major < x11.FirstExtension {
		request[1] = 0 // GetProperty's is, see topic
		if r.Major == getKeyboardMapping {
			padding = span{6, 8}
		}
	}
	if padding.to <= len(request) {
		clear(request[padding.from:padding.to])
	}
}

// topic returns what the reply to a whole request of class current is about; false where there is more to
// the request than that.
func (c *constants) topic(o x11.Order, r x11.Request, whole []byte) (topic, bool) {
	switch {
	case r.Head != 4 || len(whole) < 4:
		return topic{}, false
	case r.Major == getProperty:
		if len(whole) != 24 || r.Minor != 0 || !c.server.roots[o.Uint32(whole[4:])] {
			return topic{}, false // it deletes, or who knows
		}
		return topic{properties, o.Uint32(whole[4:]), o.Uint32(whole[8:])}, true
	case r.Major == getSelectionOwner && len(whole) == 8:
		return topic{kind: selections, b: o.Uint32(whole[4:])}, true
	case r.Major < x11.FirstExtension:
		return topic{kind: keys}, r.Major == getKeyboardMapping || r.Major == getModifierMapping
	}
	u := c.server.uses[r.Major]
	if slices.Contains(u.windows, r.Minor) && (len(whole) < 8 || !c.server.roots[o.Uint32(whole[4:])]) {
		return topic{}, false
	}
	if u.asks == keys && (len(whole) < 8 || !c.watched.coreKeyboard(o.Uint16(whole[4:]))) {
		return topic{}, false
	}
	return topic{kind: u.asks}, !c.server.deletes(r, whole)
}

// deletes reports whether a whole request deletes the property that it asks for, or asks for one that
// is only to come.
func (s *server) deletes(r x11.Request, whole []byte) bool {
	switch {
	case r.Major == s.randr && r.Minor == randrGetOutputProperty:
		return len(whole) != 28 || whole[24] != 0 || whole[25] != 0 // RRGetOutputProperty
	case r.Major == s.xi && r.Minor == xiGetProperty:
		return len(whole) != 24 || whole[6] != 0 // XIGetProperty
	}
	return false
}

// changedBy returns what a request may change, of which there is the beginning of what follows the head, as
// far as it goes and at most headOfChange bytes; whole is the request if it is of class current.
func (c *constants) changedBy(o x11.Order, r x11.Request, body, whole []byte) []topic {
	if r.Major >= x11.FirstExtension {
		return c.changedByExtension(r, whole)
	}
	switch r.Major {
	case changeProperty, deleteProperty, rotateProperties, getProperty:
		return c.propertyChanged(o, r, body)
	case setSelectionOwner:
		if len(body) < headOfChange {
			return nil // it fails
		}
		return []topic{{kind: selections, b: o.Uint32(body[4:])}}
	case destroyWindow, destroySubwindows, killClient:
		return []topic{{kind: selections}} // whose owner may be gone
	case changeKeyboardMapping, changeKeyboardControl, setModifierMapping:
		return []topic{{kind: keys}}
	}
	return nil
}

// headOfChange is how much of what follows the head is needed to see what is changed.
const headOfChange = 8

func (c *constants) propertyChanged(o x11.Order, r x11.Request, body []byte) []topic {
	if len(body) < headOfChange || !c.server.roots[o.Uint32(body)] || r.Major == getProperty && r.Minor == 0 {
		return nil
	}
	if r.Major == rotateProperties {
		return []topic{{kind: properties}}
	}
	return []topic{{properties, o.Uint32(body), o.Uint32(body[4:])}}
}

func (c *constants) changedByExtension(r x11.Request, whole []byte) (all []topic) {
	u := c.server.uses[r.Major]
	if slices.Contains(u.harmless, r.Minor) || slices.Contains(u.current, r.Minor) && !c.server.deletes(r, whole) {
		return nil
	}
	for _, k := range u.changes {
		all = append(all, topic{kind: k})
	}
	return all
}
