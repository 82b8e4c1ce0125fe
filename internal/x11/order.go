package x11

import "encoding/binary"

// Order is the byte order of a connection, which the client chooses by the
// first byte that it sends.
type Order byte

// The two orders (section 8).
const (
	LittleEndian Order = 'l'
	BigEndian    Order = 'B'
)

// Valid reports whether o is one of the two orders. The methods below take one
// that is not for little-endian.
func (o Order) Valid() bool { return o == LittleEndian || o == BigEndian }

// Uint16 returns the number in b's first two bytes.
func (o Order) Uint16(b []byte) uint16 {
	if o == BigEndian {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// Uint32 returns the number in b's first four bytes.
func (o Order) Uint32(b []byte) uint32 {
	if o == BigEndian {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// PutUint16 puts v into b's first two bytes.
func (o Order) PutUint16(b []byte, v uint16) {
	if o == BigEndian {
		binary.BigEndian.PutUint16(b, v)
		return
	}
	binary.LittleEndian.PutUint16(b, v)
}

// PutUint32 puts v into b's first four bytes.
func (o Order) PutUint32(b []byte, v uint32) {
	if o == BigEndian {
		binary.BigEndian.PutUint32(b, v)
		return
	}
	binary.LittleEndian.PutUint32(b, v)
}

// AppendUint16 appends v to b.
func (o Order) AppendUint16(b []byte, v uint16) []byte {
	if o == BigEndian {
		return binary.BigEndian.AppendUint16(b, v)
	}
	return binary.LittleEndian.AppendUint16(b, v)
}

// AppendUint32 appends v to b.
func (o Order) AppendUint32(b []byte, v uint32) []byte {
	if o == BigEndian {
		return binary.BigEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

// Pad returns n rounded up to a multiple of four, as everything in the protocol is.
func Pad(n int) int { return (n + 3) &^ 3 }

// appendPadded appends s and NULs up to a multiple of four bytes.
func appendPadded[B []byte | string](b []byte, s B) []byte {
	b = append(b, s...)
	for range Pad(len(s)) - len(s) {
		b = append(b, 0)
	}
	return b
}
