package localapps

import (
	"fmt"
	"strings"

	"github.com/jezek/xgb/xproto"
)

// EndStartup tells the desktop that the program of a startup notification will not come,
// so that its panel does not go on to show that one is starting (Startup Notification
// Protocol, 0.1: "remove").
func (a *Asker) EndStartup(id string) error {
	if id == "" || !isStartup(id) {
		return nil
	}
	atoms, err := a.conn.Atoms("_NET_STARTUP_INFO_BEGIN", "_NET_STARTUP_INFO")
	if err != nil {
		return err
	}
	kind := atoms[0]
	for _, piece := range startupPieces(id) {
		message := xproto.ClientMessageEvent{
			Format: 8,
			Window: a.window,
			Type:   kind,
			Data:   xproto.ClientMessageDataUnionData8New(piece),
		}
		err := xproto.SendEventChecked(a.conn.Conn, false, a.conn.Root, xproto.EventMaskPropertyChange, string(message.Bytes())).Check()
		if err != nil {
			return fmt.Errorf("startup notification: %w", err)
		}
		kind = atoms[1]
	}
	return nil
}

// startupPieces cuts the message, which a NUL ends, into those of client messages.
func startupPieces(id string) [][]byte {
	const size = 20
	text := `remove: ID="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id) + "\"\x00"
	var pieces [][]byte
	for len(text) > 0 {
		piece := make([]byte, size)
		text = text[copy(piece, text):]
		pieces = append(pieces, piece)
	}
	return pieces
}
