package localapps

import (
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"goldm/internal/x11/xtest"
)

// A panel hears that the program will not come.
func TestEndStartup(t *testing.T) {
	s := serve(t, xtest.Start(t), program)
	a := s.asker()
	panel := rawClient(t, s)
	pieces := make(chan string, 10)
	begin := panel.atom("_NET_STARTUP_INFO_BEGIN")
	err := xproto.ChangeWindowAttributesChecked(panel.Conn.Conn, panel.Root, xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check()
	if err != nil {
		t.Fatal(err)
	}
	go panel.Events(func(event xgb.Event) {
		if m, ok := event.(xproto.ClientMessageEvent); ok {
			piece := string(m.Data.Data8)
			if m.Type == begin {
				piece = "^" + piece
			}
			pieces <- piece
		}
	})
	id := `panel-12-host-"x"\_TIME27`
	if err := a.EndStartup(id); err != nil {
		t.Fatal(err)
	}
	var heard strings.Builder
	for !strings.Contains(heard.String(), "\x00") {
		select {
		case piece := <-pieces:
			heard.WriteString(piece)
		case <-time.After(patience):
			t.Fatalf("heard only %q", heard.String())
		}
	}
	if got, want := strings.TrimRight(heard.String(), "\x00"), `^remove: ID="panel-12-host-\"x\"\\_TIME27"`; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
	for _, none := range []string{"", "a\nb"} {
		if err := a.EndStartup(none); err != nil {
			t.Errorf("%q: %v", none, err)
		}
	}
	if len(pieces) > 0 {
		t.Errorf("more: %q", <-pieces)
	}
}
