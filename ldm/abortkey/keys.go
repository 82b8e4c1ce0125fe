package abortkey

import (
	"encoding/binary"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is needed of linux/input-event-codes.h.
const (
	evSyn, evKey = 0, 1
	synDropped   = 3

	keyBackspace = 14
	keyLeftCtrl  = 29
	keyRightCtrl = 97
	keyLeftAlt   = 56
	keyRightAlt  = 100
)

// The size of struct input_event (linux/input.h): a time of two longs, two 16-bit numbers, one of 32 bits.
const (
	timeSize  = 2 * int(unsafe.Sizeof(uintptr(0)))
	eventSize = timeSize + 8
)

// chord knows which of the keys are down.
type chord struct{ down map[uint16]bool }

func (c *chord) event(kind, code uint16, value int32) (pressed bool) {
	switch {
	case kind == evSyn && code == synDropped: // events were lost: what is down is not known
		clear(c.down)
	case kind != evKey || value < 0 || value > 1: // 2 repeats
	case code == keyBackspace:
		ctrl, alt := c.down[keyLeftCtrl] || c.down[keyRightCtrl], c.down[keyLeftAlt] || c.down[keyRightAlt]
		return value == 1 && ctrl && alt
	case code == keyLeftCtrl, code == keyRightCtrl, code == keyLeftAlt, code == keyRightAlt:
		c.down[code] = value == 1
	}
	return false
}

// follow reads events to their end.
func follow(r io.Reader, pressed func()) {
	c := chord{down: make(map[uint16]bool)}
	event := make([]byte, eventSize)
	for {
		if _, err := io.ReadFull(r, event); err != nil {
			return
		}
		e := event[timeSize:]
		order := binary.NativeEndian
		if c.event(order.Uint16(e), order.Uint16(e[2:]), int32(order.Uint32(e[4:]))) {
			pressed()
		}
	}
}

// mayHaveKeys reports whether a device has a Backspace key, by EVIOCGBIT of linux/input.h. What does not
// know the question may have one.
func mayHaveKeys(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var bits [96]byte // KEY_MAX is 0x2ff
	const read, base = 2, 'E'
	request := uintptr(read<<30 | len(bits)<<16 | base<<8 | 0x20 + evKey)
	var errno unix.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&bits)))
	}); err != nil {
		return false
	}
	return errno != 0 || bits[keyBackspace/8]&(1<<(keyBackspace%8)) != 0
}
