package xclient

import (
	"errors"

	"goldm/internal/x11"
)

// Opcodes of core requests, and codes of events (appendix B).
const (
	createWindow           = 1
	changeWindowAttributes = 2
	mapWindow              = 8
	configureWindow        = 12
	changeProperty         = 18
	setInputFocus          = 42
	getInputFocus          = 43
	createGC               = 55
	copyArea               = 62
	putImage               = 72

	KeyPress         = 2
	UnmapNotify      = 18
	MapNotify        = 19
	MapRequest       = 20
	DestroyNotify    = 17
	ConfigureRequest = 23
	PropertyNotify   = 28
)

// Event masks (section 5).
const (
	KeyPressMask             = 1 << 0
	SubstructureNotifyMask   = 1 << 19
	SubstructureRedirectMask = 1 << 20
	PropertyChangeMask       = 1 << 22
)

const cwEventMask = 1 << 11

// predefined atoms
const (
	atomString = 31
	atomName   = 39
)

// Ask asks what costs the server nothing.
func (c *Conn) Ask() error { return c.Send(getInputFocus, 0) }

// RoundTrip asks, and waits for the answer.
func (c *Conn) RoundTrip() error {
	if err := c.Ask(); err != nil {
		return err
	}
	_, err := c.Reply()
	return err
}

// Window makes a window at the screen's corner, with a title, and maps it.
func (c *Conn) Window(title string, width, height int, events uint32) (uint32, error) {
	id := c.NewID()
	const border, inputOutput = 0, 1
	err := errors.Join(
		c.Send(createWindow, 0, Words(id, c.Root, 0, pair(width, height), pair(border, inputOutput), 0, cwEventMask, events)),
		c.SetProperty(id, atomName, title),
		c.Send(mapWindow, 0, Words(id)),
	)
	return id, err
}

func pair(low, high int) uint32 { return uint32(low)&0xffff | uint32(high)<<16 }

// SetProperty sets a property of a window to a text.
func (c *Conn) SetProperty(window, property uint32, text string) error {
	const replace, format = 0, 8
	padded := append([]byte(text), make([]byte, x11.Pad(len(text))-len(text))...)
	return c.Send(changeProperty, replace, Words(window, property, atomString, format, uint32(len(text))), padded)
}

// Touch changes a property that means nothing: a sign that all before is done.
func (c *Conn) Touch(window uint32) error { return c.SetProperty(window, atomName, "done") }

// Listen selects a window's events.
func (c *Conn) Listen(window, events uint32) error {
	return c.Send(changeWindowAttributes, 0, Words(window, cwEventMask, events))
}

// Map maps a window.
func (c *Conn) Map(window uint32) error { return c.Send(mapWindow, 0, Words(window)) }

// Focus has a window get what is typed.
func (c *Conn) Focus(window uint32) error {
	const revertToRoot, now = 1, 0
	return c.Send(setInputFocus, revertToRoot, Words(window, now))
}

// GrantConfigure does what a ConfigureRequest asks for: its mask and values are
// in the order that ConfigureWindow wants them.
func (c *Conn) GrantConfigure(event []byte) error {
	mask := le.Uint16(event[26:])
	values := []uint32{
		uint32(int32(int16(le.Uint16(event[16:])))), uint32(int32(int16(le.Uint16(event[18:])))), // x, y
		uint32(le.Uint16(event[20:])), uint32(le.Uint16(event[22:])), // width, height
		uint32(le.Uint16(event[24:])), le.Uint32(event[12:]), uint32(event[1]), // border, sibling, stack mode
	}
	var wanted []uint32
	for bit, v := range values {
		if mask&(1<<bit) != 0 {
			wanted = append(wanted, v)
		}
	}
	return c.Send(configureWindow, 0, Words(le.Uint32(event[8:]), uint32(mask)), Words(wanted...))
}

// GC makes a graphics context for a window.
func (c *Conn) GC(window uint32) (uint32, error) {
	id := c.NewID()
	return id, c.Send(createGC, 0, Words(id, window, 0))
}

// PutImage draws rows of pixels, of four bytes each, at x, y; as many rows a
// request as fit.
func (c *Conn) PutImage(window, gc uint32, x, y, width int, pixels []byte) error {
	const zPixmap, head = 2, 24
	stride := 4 * width
	for len(pixels) > 0 {
		rows := min((x11.MaxRequest-head)/stride, len(pixels)/stride)
		if rows == 0 {
			return errors.New("a row too long for a request, or less than one")
		}
		err := c.Send(putImage, zPixmap, Words(window, gc, pair(width, rows), pair(x, y), uint32(c.Depth)<<8), pixels[:rows*stride])
		if err != nil {
			return err
		}
		pixels, y = pixels[rows*stride:], y+rows
	}
	return nil
}

// Scroll moves what a window shows up by some rows.
func (c *Conn) Scroll(window, gc uint32, width, height, rows int) error {
	return c.Send(copyArea, 0, Words(window, window, gc, pair(0, rows), 0, pair(width, height-rows)))
}

// Keyboard types by XTEST, whose opcode it asks for first.
type Keyboard struct {
	conn  *Conn
	major byte
}

// Keyboard finds XTEST.
func (c *Conn) Keyboard() (*Keyboard, error) {
	request := x11.AppendQueryExtension(nil, x11.LittleEndian, "XTEST")
	if err := c.Send(request[0], request[1], request[4:]); err != nil {
		return nil, err
	}
	reply, err := c.Reply()
	if err != nil {
		return nil, err
	}
	found := x11.ParseExtensionReply(reply)
	if !found.Present {
		return nil, errors.New("the X server has no XTEST")
	}
	return &Keyboard{conn: c, major: found.Major}, nil
}

// Press presses a key and lets it go.
func (k *Keyboard) Press(keycode byte) error {
	const fakeInput = 2
	const press, release = 2, 3 // as the events are numbered
	for _, kind := range []byte{press, release} {
		event := make([]byte, 32)
		event[0], event[1] = kind, keycode
		if err := k.conn.Send(k.major, fakeInput, event); err != nil {
			return err
		}
	}
	return k.conn.Flush()
}

// Subject is the window that a substructure or property event is about.
func Subject(event []byte) uint32 {
	switch x11.Kind(event) {
	case PropertyNotify:
		return le.Uint32(event[4:])
	}
	return le.Uint32(event[8:])
}

// OverrideRedirect tells of a MapNotify whether the window is none that a window
// manager cares about, such as a menu.
func OverrideRedirect(mapNotify []byte) bool { return mapNotify[12] != 0 }
