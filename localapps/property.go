package localapps

import (
	"errors"
	"fmt"

	"github.com/jezek/xgb/xproto"

	"goldm/internal/x11/xconn"
)

// The names of the atoms in use.
const (
	requestName = "_LTSP_LOCALAPPS_REQUEST" // on the mailbox: requests
	answerName  = "_LTSP_LOCALAPPS_ANSWER"  // on an asker's window: answers
	versionName = "_LTSP_LOCALAPPS_VERSION" // on the mailbox: the protocol's version, CARDINAL
	utf8Name    = "UTF8_STRING"
)

// pieceSize is how much of a property is read at a time, in units of four bytes.
const pieceSize = 16 << 10

// maxRestarts is how often a property may change under a reader's hands.
const maxRestarts = 8

// property is what stood in one.
type property struct {
	exists bool
	kind   xproto.Atom
	format byte
}

// take reads a property from its beginning and clears it once everything is read, which
// is one step for the X server (section 9, GetProperty: it is deleted if nothing
// remains), so that what is appended meanwhile comes with it or stays. It calls each
// with the pieces, and begin before the first; a property that is replaced meanwhile
// begins again.
func take(conn *xconn.Conn, window xproto.Window, name xproto.Atom, begin func(), each func(piece []byte)) (property, error) {
	for range maxRestarts {
		begin()
		found, err := takeOnce(conn, window, name, each)
		if _, replaced := errors.AsType[xproto.ValueError](err); !replaced {
			return found, err
		}
	}
	return property{}, errors.New("the property does not stay")
}

func takeOnce(conn *xconn.Conn, window xproto.Window, name xproto.Atom, each func([]byte)) (property, error) {
	for offset := uint32(0); ; offset += pieceSize {
		reply, err := xproto.GetProperty(conn.Conn, true, window, name, xproto.GetPropertyTypeAny, offset, pieceSize).Reply()
		if err != nil {
			return property{}, xconn.Lost(err)
		}
		if len(reply.Value) > 0 {
			each(reply.Value)
		}
		if reply.BytesAfter == 0 {
			return property{exists: reply.Type != xproto.AtomNone, kind: reply.Type, format: reply.Format}, nil
		}
	}
}

// read reads a short property and leaves it there.
func read(conn *xconn.Conn, window xproto.Window, name xproto.Atom) (*xproto.GetPropertyReply, error) {
	reply, err := xproto.GetProperty(conn.Conn, false, window, name, xproto.GetPropertyTypeAny, 0, 256).Reply()
	if err != nil {
		return nil, xconn.Lost(err)
	}
	return reply, nil
}

// appendRecord appends a record to a property. Where there is no such window the error
// comes from the cookie's Check.
func appendRecord(conn *xconn.Conn, window xproto.Window, name, kind xproto.Atom, data []byte) xproto.ChangePropertyCookie {
	return xproto.ChangePropertyChecked(conn.Conn, xproto.PropModeAppend, window, name, kind, 8, uint32(len(data)), data)
}

// newWindow makes a window that is never shown, to put properties on and hear of them.
func newWindow(conn *xconn.Conn) (xproto.Window, error) {
	window, err := xproto.NewWindowId(conn.Conn)
	if err != nil {
		return 0, fmt.Errorf("window: %w", xconn.Lost(err))
	}
	err = xproto.CreateWindowChecked(conn.Conn, 0, window, conn.Root, -1, -1, 1, 1, 0, xproto.WindowClassInputOnly, 0,
		xproto.CwOverrideRedirect|xproto.CwEventMask, []uint32{1, xproto.EventMaskPropertyChange}).Check()
	if err != nil {
		return 0, fmt.Errorf("window: %w", xconn.Lost(err))
	}
	return window, nil
}
