package x11

// Major opcodes of core requests (appendix B).
const (
	QueryExtension   = 98
	ListExtensions   = 99
	ChangeHosts      = 109
	ListHosts        = 110
	SetAccessControl = 111
	NoOperation      = 127

	// FirstExtension is the first major opcode that a server gives to extensions.
	FirstExtension = 128

	// Unassigned is an opcode that no server takes: the answer is BadRequest.
	Unassigned = 0
)

// MaxRequest is the size in bytes of the longest request without BIG-REQUESTS:
// its length field counts 65535 units of four bytes.
const MaxRequest = 4 * 65535

// RequestHead is the largest size in bytes of a request's head.
const RequestHead = 8

// Request is the head of a request (section 1, Request Format).
type Request struct {
	Major byte
	Minor byte  // of an extension's request; data of a core one
	Head  int   // bytes of opcodes and length: 4, or 8 with an extended length
	Size  int64 // bytes of the whole request; 0 or 4 with an extended length is malformed
}

// ParseRequest parses the head of the request that b begins with. It needs the
// first 4 bytes, and 8 where the length field is 0 and bigRequests says that
// the server takes that for an extended length (Big Requests Extension,
// section 3); ok is false while b is shorter. Without bigRequests a length
// field of 0 gives a Size of 0.
func ParseRequest(o Order, b []byte, bigRequests bool) (r Request, ok bool) {
	if len(b) < 4 {
		return Request{}, false
	}
	r = Request{Major: b[0], Minor: b[1], Head: 4, Size: 4 * int64(o.Uint16(b[2:]))}
	if r.Size == 0 && bigRequests {
		if len(b) < 8 {
			return Request{}, false
		}
		r.Head, r.Size = 8, 4*int64(o.Uint32(b[4:]))
	}
	return r, true
}

// AppendQueryExtension appends a QueryExtension request.
func AppendQueryExtension(b []byte, o Order, name string) []byte {
	b = append(b, QueryExtension, 0)
	b = o.AppendUint16(b, uint16(2+Pad(len(name))/4))
	b = o.AppendUint16(b, uint16(len(name)))
	return appendPadded(append(b, 0, 0), name)
}

// AppendRequest appends a request that has nothing but a head.
func AppendRequest(b []byte, o Order, major, minor byte) []byte {
	return o.AppendUint16(append(b, major, minor), 1)
}
