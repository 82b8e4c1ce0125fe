package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// kind is the type of a frame, its first byte. The number of the stream follows in four
// bytes, the length of the payload in two, all little-endian.
type kind byte

const (
	frameOpen   kind = 1 + iota // a new stream; numbers count up from 1
	frameData                   // bytes of the stream
	frameCredit                 // how many more bytes the receiver takes, in four bytes
	frameClose                  // the sender of this says no more
	frameReset                  // the same, and it reads no more either
	frameAck                    // stream 0: how many bytes of batches have come so far, in eight bytes
	frameNotice                 // stream 0: a notice, for whoever uses the connection
)

const frameHead = 7

// maxData is the longest payload, in bytes.
const maxData = 8 << 10

type frame struct {
	kind    kind
	stream  uint32
	payload []byte
}

func appendFrame(b []byte, k kind, stream uint32, payload []byte) []byte {
	return append(appendHead(b, k, stream, len(payload)), payload...)
}

// appendHead appends what comes before a payload of so many bytes.
func appendHead(b []byte, k kind, stream uint32, size int) []byte {
	b = append(b, byte(k))
	b = binary.LittleEndian.AppendUint32(b, stream)
	return binary.LittleEndian.AppendUint16(b, uint16(size))
}

var errShortFrame = errors.New("a frame is cut off")

// cutFrame returns the frame that b begins with, whose payload is part of b, and the rest of b.
func cutFrame(b []byte) (f frame, rest []byte, err error) {
	if len(b) < frameHead {
		return frame{}, nil, errShortFrame
	}
	f = frame{kind: kind(b[0]), stream: binary.LittleEndian.Uint32(b[1:])}
	size := int(binary.LittleEndian.Uint16(b[5:]))
	if len(b) < frameHead+size {
		return frame{}, nil, errShortFrame
	}
	f.payload = b[frameHead : frameHead+size]
	want := 0
	switch f.kind {
	case frameOpen, frameClose, frameReset:
	case frameCredit:
		want = 4
	case frameAck:
		want = 8
	case frameData:
		want = bounded(size, maxData)
	case frameNotice:
		want = bounded(size, MaxNotice)
	default:
		return frame{}, nil, fmt.Errorf("frame of kind %d", f.kind)
	}
	if size != want || (f.stream == 0) != (f.kind >= frameAck) {
		return frame{}, nil, fmt.Errorf("frame of kind %d with %d bytes for stream %d", f.kind, size, f.stream)
	}
	return f, b[frameHead+size:], nil
}

// bounded returns a size that is right, or else one that no payload has.
func bounded(size, most int) int {
	if size == 0 || size > most {
		return -1
	}
	return size
}
