package x11

import (
	"fmt"
	"io"
)

// Protocol version 11.0, the only one there is.
const (
	ProtocolMajor = 11
	ProtocolMinor = 0
)

// SetupRequest is the first thing that a client sends (section 8, Connection
// Initiation).
type SetupRequest struct {
	Order        Order
	Major, Minor uint16
	AuthName     string
	AuthData     []byte
}

const setupRequestSize = 12

// A BadSetup is a setup request that makes no sense, or asks too much.
type BadSetup struct{ Reason string }

func (e *BadSetup) Error() string { return "X11 setup: " + e.Reason }

// ReadSetupRequest reads a setup request from r, and not a byte more. Where there
// is nothing at all the error is io.EOF, wrapped. A request
// whose authorization name or data is longer than limit is a *BadSetup, in which
// case Order is still valid if it was; so is one with a wrong byte order.
func ReadSetupRequest(r io.Reader, limit int) (SetupRequest, error) {
	var head [setupRequestSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return SetupRequest{}, fmt.Errorf("X11 setup: %w", err)
	}
	s := SetupRequest{Order: Order(head[0])}
	if !s.Order.Valid() {
		return s, &BadSetup{Reason: fmt.Sprintf("byte order %#02x", head[0])}
	}
	s.Major, s.Minor = s.Order.Uint16(head[2:]), s.Order.Uint16(head[4:])
	nameLen, dataLen := int(s.Order.Uint16(head[6:])), int(s.Order.Uint16(head[8:]))
	if nameLen > limit || dataLen > limit {
		return s, &BadSetup{Reason: fmt.Sprintf("authorization of %d and %d bytes: the limit is %d", nameLen, dataLen, limit)}
	}
	rest := make([]byte, Pad(nameLen)+Pad(dataLen))
	if _, err := io.ReadFull(r, rest); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return s, fmt.Errorf("X11 setup: %w", err)
	}
	s.AuthName = string(rest[:nameLen])
	s.AuthData = rest[Pad(nameLen):][:dataLen]
	return s, nil
}

// Append appends the encoded request to b. Name and data must be shorter than
// 64 KiB.
func (s *SetupRequest) Append(b []byte) []byte {
	b = append(b, byte(s.Order), 0)
	b = s.Order.AppendUint16(b, s.Major)
	b = s.Order.AppendUint16(b, s.Minor)
	b = s.Order.AppendUint16(b, uint16(len(s.AuthName)))
	b = s.Order.AppendUint16(b, uint16(len(s.AuthData)))
	b = append(b, 0, 0)
	return appendPadded(appendPadded(b, s.AuthName), s.AuthData)
}

// The first byte of a server's answer to a setup request.
const (
	SetupRefused      = 0
	SetupAccepted     = 1
	SetupAuthenticate = 2 // for schemes of more than one step; nobody has one
)

// SetupAnswerHead is the size of the answer's fixed part, in bytes.
const SetupAnswerHead = 8

// SetupAnswerSize returns the size in bytes of the answer that begins with head,
// of SetupAnswerHead bytes.
func SetupAnswerSize(o Order, head []byte) int {
	return SetupAnswerHead + 4*int(o.Uint16(head[6:]))
}

// SetupIDs is how many bytes of an answer that accepts ResourceIDs needs; no
// such answer is shorter.
const SetupIDs = 20

// ResourceIDs returns the resource numbers that an answer gives to the client: the
// bits of base, and any in mask.
func ResourceIDs(o Order, answer []byte) (base, mask uint32) {
	return o.Uint32(answer[12:]), o.Uint32(answer[16:])
}

// AppendSetupRefusal appends the answer that refuses a client. Of the reason
// only the first 255 bytes count.
func AppendSetupRefusal(b []byte, o Order, reason string) []byte {
	reason = reason[:min(len(reason), 255)]
	b = append(b, SetupRefused, byte(len(reason)))
	b = o.AppendUint16(b, ProtocolMajor)
	b = o.AppendUint16(b, ProtocolMinor)
	b = o.AppendUint16(b, uint16(Pad(len(reason))/4))
	return appendPadded(b, reason)
}

// RefusalReason returns the reason in a whole answer that refuses.
func RefusalReason(answer []byte) string {
	if len(answer) < SetupAnswerHead {
		return ""
	}
	reason := answer[SetupAnswerHead:]
	return string(reason[:min(int(answer[1]), len(reason))])
}
