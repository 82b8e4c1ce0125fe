package xclient

import (
	"errors"

	"goldm/internal/x11"
)

// WatchDamage has the server tell of each change of what a window shows, with
// those in it. It returns the code of these events (Damage Extension, DamageNotify).
func (c *Conn) WatchDamage(window uint32) (code byte, err error) {
	const queryVersion, create, rawRectangles = 0, 1, 0
	request := x11.AppendQueryExtension(nil, x11.LittleEndian, "DAMAGE")
	if err := c.Send(request[0], request[1], request[4:]); err != nil {
		return 0, err
	}
	reply, err := c.Reply()
	if err != nil {
		return 0, err
	}
	found := x11.ParseExtensionReply(reply)
	if !found.Present {
		return 0, errors.New("the X server has no DAMAGE")
	}
	if err := c.Send(found.Major, queryVersion, Words(1, 1)); err != nil {
		return 0, err
	}
	if _, err := c.Reply(); err != nil {
		return 0, err
	}
	return found.FirstEvent, c.Send(found.Major, create, Words(c.NewID(), window, rawRectangles))
}
