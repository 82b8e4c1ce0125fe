package x11

// Kinds of what a server sends after the setup: a message's first byte, without
// SentBit. Every other value is an event (appendix B).
const (
	Error        = 0
	Reply        = 1
	KeymapNotify = 11 // the one event without a sequence number
	GenericEvent = 35 // longer than other events: Generic Event Extension, section 4

	SentBit = 0x80 // set in events that a client's SendEvent made
)

// AnswerHead is the size in bytes of errors and events, and the smallest of
// replies and generic events.
const AnswerHead = 32

// Codes of errors (section 4).
const (
	BadRequest = 1
	BadAccess  = 10
	BadLength  = 16
)

// Kind returns the kind of the message that b begins with.
func Kind(b []byte) byte { return b[0] &^ SentBit }

// AnswerSize returns the size in bytes of the message that b begins with, of
// which AnswerHead bytes must be there.
func AnswerSize(o Order, b []byte) int64 {
	switch Kind(b) {
	case Reply, GenericEvent:
		return AnswerHead + 4*int64(o.Uint32(b[4:]))
	}
	return AnswerHead
}

// Sequence returns the lower half of the sequence number of the request that a
// message answers or that came before it; KeymapNotify has none.
func Sequence(o Order, b []byte) uint16 { return o.Uint16(b[2:]) }

// ErrorCode returns an error's code.
func ErrorCode(b []byte) byte { return b[1] }

// ErrorOpcodes returns the opcodes of the request that an error answers.
func ErrorOpcodes(o Order, b []byte) (major byte, minor uint16) {
	return b[10], o.Uint16(b[8:])
}

// PutError changes an error's code and the opcodes of its request.
func PutError(o Order, b []byte, code, major byte, minor uint16) {
	b[1], b[10] = code, major
	o.PutUint16(b[8:], minor)
}

// ExtensionReply is the reply to QueryExtension.
type ExtensionReply struct {
	Present                       bool
	Major, FirstEvent, FirstError byte
}

// ParseExtensionReply parses the reply to QueryExtension, of AnswerHead bytes.
func ParseExtensionReply(b []byte) ExtensionReply {
	return ExtensionReply{Present: b[8] != 0, Major: b[9], FirstEvent: b[10], FirstError: b[11]}
}
