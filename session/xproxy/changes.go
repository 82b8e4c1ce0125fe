package xproxy

import (
	"bytes"
	"slices"

	"goldm/internal/x11"
)

// Core requests that change what is watched, or ask for it (appendix B).
const (
	destroyWindow         = 4
	destroySubwindows     = 5
	getGeometry           = 14
	changeProperty        = 18
	deleteProperty        = 19
	listProperties        = 21
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
	randrListOutputProperties = 10
	randrGetOutputProperty    = 15
	xiListProperties          = 56
	xiGetProperty             = 59

	randrGetScreenResourcesCurrent = 25
	xkbGetDeviceInfo               = 24
	xfixesSelectSelectionInput     = 2
)

// use says what of an extension is watched.
type use struct {
	asks     kind   // what the following are about
	current  []byte // minor opcodes of requests whose replies are right until that changes
	harmless []byte // and of others that change nothing
	changes  []kind // what all the rest may change

	fleeting map[byte]kind // the same for what is fleeting, by minor opcode
	padding  map[byte]span // in requests that are current, by minor opcode
	windows  []byte        // minor opcodes of those that are about a window, which has to be a root: others go
}

// span is a stretch of a request: from one byte to before another.
type span struct{ from, to int }

var uses = map[string]use{
	// GetScreenSizeRange, GetOutputInfo, ListOutputProperties, QueryOutputProperty, GetOutputProperty, GetCrtcInfo,
	// GetOutputPrimary, GetMonitors; GetScreenResourcesCurrent. QueryVersion, SelectInput.
	"RANDR": {
		asks: screens, current: []byte{6, 9, randrListOutputProperties, 11, randrGetOutputProperty, 20, 31, 42},
		fleeting: map[byte]kind{randrGetScreenResourcesCurrent: modes}, harmless: []byte{0, 4}, changes: []kind{screens},
		padding: map[byte]span{4: {10, 12}, randrGetOutputProperty: {26, 28}, 42: {9, 12}}, windows: []byte{6, 31, 42},
	},

	// QueryPictFormats: the order of subpixels changes with a screen's rotation.
	"RENDER": {asks: screens, current: []byte{1}},

	// GetState, GetScreenCount, GetScreenSize, IsActive, QueryScreens.
	"XINERAMA": {asks: screens, current: []byte{1, 2, 3, 4, 5}, windows: []byte{1, 2, 3}},

	// XIListProperties, XIGetProperty; XIQueryDevice, which has where the pointer is. Versions, other queries,
	// and what asks for events.
	"XInputExtension": {
		asks: devices, current: []byte{xiListProperties, xiGetProperty},
		fleeting: map[byte]kind{xiQueryDevice: deviceLists},
		harmless: []byte{1, 2, 40, 46, 47, 50, 60}, changes: []kind{devices, keys},
		padding: map[byte]span{46: {10, 12}, xiListProperties: {6, 8}, xiGetProperty: {7, 8}},
	},

	// GetControls, GetMap, GetCompatMap, GetIndicatorMap, GetNames, GetDeviceInfo; GetState. UseExtension, SelectEvents, Bell,
	// PerClientFlags, other queries.
	xkeyboard: {
		asks: keys, current: []byte{6, 8, 10, 13, 17, xkbGetDeviceInfo},
		fleeting: map[byte]kind{xkbGetState: states},
		harmless: []byte{0, 1, 3, 12, 15, 19, 21, 22}, changes: []kind{keys},
		padding: map[byte]span{6: {6, 8}, 8: {26, 28}, 13: {6, 8}, 17: {6, 8}},
	},

	// GetVersion, CompareCursor. A key from another keyboard brings that one's map.
	"XTEST": {harmless: []byte{0, 1}, changes: []kind{keys}},
}

// addUse notes the use of an extension.
func (s *server) addUse(major byte, u use) {
	for _, minor := range u.current {
		s.classes[major][minor] = current
	}
	for minor := range u.fleeting {
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
	case r.Major == listProperties && len(whole) == 8:
		return topic{kind: lists, a: o.Uint32(whole[4:])}, c.server.roots[o.Uint32(whole[4:])]
	case r.Major == getGeometry && len(whole) == 8:
		return topic{kind: screens}, c.server.roots[o.Uint32(whole[4:])]
	case r.Major == getSelectionOwner && len(whole) == 8:
		return topic{kind: selections, b: o.Uint32(whole[4:])}, true
	case coreFleeting[r.Major] != 0:
		return c.fleetingTopic(coreFleeting[r.Major], o, whole)
	case r.Major < x11.FirstExtension:
		return topic{kind: keys}, r.Major == getKeyboardMapping || r.Major == getModifierMapping
	}
	u := c.server.uses[r.Major]
	if fleeting, ok := u.fleeting[r.Minor]; ok {
		return c.fleetingTopic(fleeting, o, whole)
	}
	if slices.Contains(u.windows, r.Minor) && (len(whole) < 8 || !c.server.roots[o.Uint32(whole[4:])]) {
		return topic{}, false
	}
	if r.Major == c.server.xkb && !c.asksForKeys(o, r, whole) {
		return topic{}, false
	}
	return topic{kind: u.asks}, !c.server.deletes(r, whole)
}

// asksForKeys reports whether a whole request of XKEYBOARD is about the core keyboard; of GetDeviceInfo, whether it wants
// nothing of what changes, such as lights.
func (c *constants) asksForKeys(o x11.Order, r x11.Request, whole []byte) bool {
	if len(whole) < 8 || !c.watched.coreKeyboard(o.Uint16(whole[4:])) {
		return false
	}
	return r.Minor != xkbGetDeviceInfo || len(whole) == 16 && bytes.Equal(whole[6:11], make([]byte, 5))
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
	_, fleeting := u.fleeting[r.Minor]
	if fleeting || slices.Contains(u.harmless, r.Minor) || slices.Contains(u.current, r.Minor) && !c.server.deletes(r, whole) {
		return nil
	}
	for _, k := range u.changes {
		all = append(all, topic{kind: k})
	}
	return all
}
