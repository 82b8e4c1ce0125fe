package xproxy

import (
	"bytes"

	"goldm/internal/x11"
)

// Properties are those of windows, of input devices and of outputs, and the requests for all three have
// the same form, as do those that list them: but for where replies have the format. What they say hangs on
// nothing but the property. So a property that was seen whole once answers for each part of it,
// and a list that a property is not in says that there is none.

// family is one of the three.
type family struct {
	list   [2]byte // opcodes of the request that lists properties
	minor  byte    // what replies have as their second byte, where that is not the format
	format int     // where that is
	size   int     // of a request for a property, in bytes
}

func families(xi, randr byte) map[[2]byte]family {
	return map[[2]byte]family{
		{getProperty, 0}:                {list: [2]byte{listProperties, 0}, format: 1, size: 24},
		{xi, xiGetProperty}:             {list: [2]byte{xi, xiListProperties}, minor: xiGetProperty, format: 20, size: 24},
		{randr, randrGetOutputProperty}: {list: [2]byte{randr, randrListOutputProperties}, format: 1, size: 28},
	}
}

// part is a request for a property, or for some of it.
type part struct {
	family       family
	order        x11.Order
	place        string // the property's key
	list         string // that of the request that lists it among others
	atom, kind   uint32 // its name, and what type was asked for
	offset, most uint32 // in four-byte units
}

// aboutProperties reports whether a request of an extension is one of the three, or of those that list.
func (s *server) aboutProperties(r x11.Request) bool {
	return r.Major == s.xi && (r.Minor == xiGetProperty || r.Minor == xiListProperties) ||
		r.Major == s.randr && (r.Minor == randrGetOutputProperty || r.Minor == randrListOutputProperties)
}

// sizeOfList is that of each of the requests that list, in bytes.
const sizeOfList = 8

// part reads the key of a request of class current.
func (s *server) part(key string) (p part, ok bool) {
	o, request := x11.Order(key[0]), []byte(key[1:])
	f, ok := s.families[[2]byte{request[0], request[1]}]
	if !ok || len(request) < f.size {
		return p, false
	}
	list := o.AppendUint16(append([]byte{key[0]}, f.list[:]...), sizeOfList/4)
	return part{
		family: f, order: o, place: key[:3] + string(request[4:12]), list: string(append(list, request[4:8]...)),
		atom: o.Uint32(request[8:]), kind: o.Uint32(request[12:]), offset: o.Uint32(request[16:]), most: o.Uint32(request[20:]),
	}, true
}

// current returns the reply to a request about a topic, but for its sequence number; nil where it is not known
// now.
func (c *constants) current(key string, t topic) []byte {
	if reply := c.watched.get(key, t); reply != nil {
		return reply
	}
	p, ok := c.server.part(key)
	if !ok || p.kind != 0 && !c.isAtom(p.kind) {
		return nil
	}
	if whole := c.watched.get(p.place, t); whole != nil {
		return p.cut(whole)
	}
	if list := c.watched.get(p.list, t); list != nil && !p.listed(list) && c.isAtom(p.atom) {
		return p.absent()
	}
	return nil
}

// putCurrent keeps the reply to a request that was asked at a moment.
func (c *constants) putCurrent(key string, asked moment, reply []byte) {
	if p, ok := c.server.part(key); ok && p.whole(reply) {
		key = p.place
	}
	c.watched.put(key, asked, reply)
}

// whole reports whether a reply has all of the property, or says that there is none.
func (p part) whole(reply []byte) bool {
	kind, after := p.order.Uint32(reply[8:]), p.order.Uint32(reply[12:])
	return kind == 0 || p.offset == 0 && after == 0 && (p.kind == 0 || p.kind == kind)
}

// listed reports whether a list has the property.
func (p part) listed(list []byte) bool {
	n := int(p.order.Uint16(list[8:]))
	for i := range n {
		if at := x11.AnswerHead + 4*i; at+4 > len(list) || p.order.Uint32(list[at:]) == p.atom {
			return true
		}
	}
	return false
}

func (p part) absent() []byte {
	reply := make([]byte, x11.AnswerHead)
	reply[0], reply[1] = x11.Reply, p.family.minor
	return reply
}

// cut makes the reply out of one that has all; nil where there might be an error, or that depends on
// the X server: X.Org counts items, not bytes, in what it says about a property of another type than was asked
// for (ProcGetProperty), and multiplies lengths in 32 bits.
func (p part) cut(whole []byte) []byte {
	kind, unit := p.order.Uint32(whole[8:]), int(whole[p.family.format])/8
	if kind == 0 {
		return whole
	}
	size := int64(p.order.Uint32(whole[16:])) * int64(unit)
	from := 4 * int64(p.offset)
	if p.kind != 0 && p.kind != kind || unit == 0 || from > size || int64(len(whole)) < x11.AnswerHead+size {
		return nil
	}
	n := min(size-from, 4*int64(p.most))
	if n != min(size-from, int64(4*p.most)) {
		return nil
	}
	reply := bytes.Clone(whole[:x11.AnswerHead])
	p.order.PutUint32(reply[4:], uint32(x11.Pad(int(n))/4))
	p.order.PutUint32(reply[12:], uint32(size-from-n))
	p.order.PutUint32(reply[16:], uint32(n)/uint32(unit))
	reply = append(reply, whole[x11.AnswerHead+from:][:n]...)
	return append(reply, make([]byte, x11.Pad(int(n))-int(n))...)
}

// maxProperty is how much of a property is asked for, in four-byte units.
const maxProperty = 1 << 14

// ask returns the request for the whole of a property of which there is the key; nil where it is not the key
// of one.
func (s *server) ask(place string) []byte {
	f, ok := s.families[[2]byte{place[1], place[2]}]
	if !ok || len(place) != 11 {
		return nil
	}
	request := scoutOrder.AppendUint16([]byte(place[1:3]), uint16(f.size/4))
	request = append(request, place[3:]...)
	request = scoutOrder.AppendUint32(request, 0) // any type
	request = scoutOrder.AppendUint32(request, 0)
	request = scoutOrder.AppendUint32(request, maxProperty)
	return append(request, make([]byte, f.size-len(request))...)
}

// maxListed is about how much is asked of listed properties, in bytes.
const maxListed = 256 << 10

// listedProperties asks for all properties that lists say there are, and of which it is not known what they are.
func (c *constants) listedProperties() (said []byte) {
	entries, known := c.watched.entries(), make(map[string]bool)
	for _, e := range entries {
		known[e.key] = !e.outdated
	}
	for _, e := range entries {
		for property, f := range c.server.families {
			if isList := len(e.key) == 1+sizeOfList && [2]byte{e.key[1], e.key[2]} == f.list; isList && x11.Order(e.key[0]) == scoutOrder {
				said = c.server.appendListed(said, property, e, known)
			}
		}
	}
	return said
}

// appendListed asks for the properties of one list that are not known, by the requests of these opcodes.
func (s *server) appendListed(said []byte, property [2]byte, list entry, known map[string]bool) []byte {
	for i := range int(scoutOrder.Uint16(list.reply[8:])) {
		at := x11.AnswerHead + 4*i
		if at+4 > len(list.reply) || len(said) > maxListed {
			break
		}
		place := list.key[:1] + string(property[:]) + list.key[5:] + string(list.reply[at:at+4])
		if request := s.ask(place); !known[place] && !known[list.key[:1]+string(request)] { // which did not bring all of it
			said = append(said, request...)
		}
	}
	return said
}

// outdated asks again what has changed since it was asked, or may have: where the answer hangs on what a program says
// to an extension first, if that is what l's has said.
func (c *constants) outdated(l *ledger) (said []byte) {
	for _, e := range c.watched.entries() {
		if !e.outdated || x11.Order(e.key[0]) != scoutOrder {
			continue
		}
		request, greeting := c.server.ask(e.key), ""
		if request == nil {
			size := min(len(e.key)-1, 4*int(scoutOrder.Uint16([]byte(e.key[3:]))))
			request, greeting = []byte(e.key[1:1+size]), e.key[1+size:]
		}
		if greeting != "" && greeting != l.greetings[request[0]] {
			continue
		}
		if said = append(said, request...); len(said) > maxAsked {
			break
		}
	}
	return said
}

// maxAsked is about how much is asked again at a time, in bytes.
const maxAsked = 16 << 10
