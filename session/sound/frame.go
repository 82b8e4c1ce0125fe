package sound

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// PulseAudio's native protocol is frames. A header of five words is followed by a packet, if its
// channel is packetChannel, or by a stream's audio: src/pulsecore/pstream.c of PulseAudio.
const (
	headerSize    = 20
	packetChannel = 0xffffffff

	// maxFrame bounds what follows a header: FRAME_SIZE_MAX_ALLOW there.
	maxFrame = 16 << 20
)

// A packet is a command, a tag and arguments, each marked with its type:
// src/pulsecore/native-common.h and tagstruct.h.
const (
	commandExit         = 7
	commandAuth         = 8
	commandLoadModule   = 51
	commandUnloadModule = 52

	typeU32    = 'L'
	typeString = 't'
	typeBytes  = 'x'

	// commandSize is that of a packet's command and tag.
	commandSize = 10
)

// frame is a frame's header, as it travels: length, channel, two words of an offset, flags.
type frame [headerSize]byte

func (f *frame) length() uint32  { return binary.BigEndian.Uint32(f[0:]) }
func (f *frame) setLength(n int) { binary.BigEndian.PutUint32(f[0:], uint32(n)) }
func (f *frame) isPacket() bool  { return binary.BigEndian.Uint32(f[4:]) == packetChannel }
func readFrame(r io.Reader) (f frame, err error) {
	if _, err := io.ReadFull(r, f[:]); err != nil {
		return f, err
	}
	if f.length() > maxFrame {
		return f, fmt.Errorf("frame of %d bytes", f.length())
	}
	return f, nil
}

var errTruncated = errors.New("packet ends early")

// command is the beginning of a packet.
type command struct{ code, tag uint32 }

// parseCommand takes the command off a packet.
func parseCommand(packet []byte) (c command, rest []byte, err error) {
	if c.code, rest, err = takeU32(packet); err != nil {
		return c, nil, err
	}
	c.tag, rest, err = takeU32(rest)
	return c, rest, err
}

func (c command) append(packet []byte) []byte {
	return appendU32(appendU32(packet, c.code), c.tag)
}

func takeU32(packet []byte) (value uint32, rest []byte, err error) {
	if len(packet) < 5 {
		return 0, nil, errTruncated
	}
	if packet[0] != typeU32 {
		return 0, nil, fmt.Errorf("type %q where a number was due", packet[0])
	}
	return binary.BigEndian.Uint32(packet[1:]), packet[5:], nil
}

func appendU32(packet []byte, value uint32) []byte {
	return binary.BigEndian.AppendUint32(append(packet, typeU32), value)
}
