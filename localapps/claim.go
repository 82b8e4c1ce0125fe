package localapps

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/jezek/xgb/xproto"

	"goldm/internal/text"
	"goldm/internal/x11/xconn"
)

// selectionName names the manager selection of a screen: ICCCM, section 2.8.
func selectionName(screen int) string { return "_LTSP_LOCALAPPS_S" + strconv.Itoa(screen) }

// TakenError reports a display that has a mailbox already.
type TakenError struct{ Holder string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("the display's local applications are served by %s already", e.Holder)
}

// claim takes the manager selection if nobody has it, and announces it. The server is grabbed
// meanwhile, so that of two who try one gets it.
func (m *Mailbox) claim(selection, manager, nameAtom xproto.Atom, now xproto.Timestamp) error {
	xproto.GrabServer(m.conn.Conn)
	owner, err := xproto.GetSelectionOwner(m.conn.Conn, selection).Reply()
	if err == nil && owner.Owner == xproto.WindowNone {
		err = xproto.SetSelectionOwnerChecked(m.conn.Conn, m.window, selection, now).Check()
	}
	xproto.UngrabServer(m.conn.Conn)
	if err != nil {
		return fmt.Errorf("selection: %w", xconn.Lost(err))
	}
	if owner.Owner != xproto.WindowNone {
		return &TakenError{Holder: m.nameOf(owner.Owner, nameAtom)}
	}
	var event []byte
	for _, v := range []uint32{uint32(now), uint32(selection), uint32(m.window), version, 0} {
		event = binary.LittleEndian.AppendUint32(event, v)
	}
	message := xproto.ClientMessageEvent{
		Format: 32,
		Window: m.conn.Root,
		Type:   manager,
		Data:   xproto.ClientMessageDataUnionData8New(event),
	}
	xproto.SendEvent(m.conn.Conn, false, m.conn.Root, xproto.EventMaskStructureNotify, string(message.Bytes()))
	return nil
}

// nameOf says whose a window is.
func (m *Mailbox) nameOf(window xproto.Window, name xproto.Atom) string {
	title, err := read(m.conn, window, name)
	if err != nil || len(title.Value) == 0 {
		return fmt.Sprintf("the window %#x", window)
	}
	return text.Line(string(title.Value), 100)
}
