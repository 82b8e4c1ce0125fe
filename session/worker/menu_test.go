package worker_test

import (
	"io"
	"strings"
	"testing"

	"goldm/internal/agentwire"
	"goldm/internal/bundle"
	"goldm/ldm/wire"
	"goldm/session/internal/sshtest"
)

// A session with a menu sends one to the agent, which is told to wait; whatever
// programs this machine has, the menu is a bundle.
func TestMenu(t *testing.T) {
	commands, menus := make(chan string, 1), make(chan []byte, 1)
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
		commands <- e.Line
		agentwire.Write(e, &agentwire.Hello{Version: agentwire.Version})
		agentwire.Write(e, &agentwire.Started{})
		menus <- readMenu(e)
		e.Exit(0)
	}})
	d := start(t)
	d.authenticate(login(t, server))
	d.begin(&wire.Start{Apps: &wire.Apps{Menu: true, URLs: []string{"https"}}})
	d.want(&wire.Started{})
	if line := <-commands; !strings.Contains(line, "ldm_menu=yes") {
		t.Errorf("the agent is not told: %s", line)
	}
	if _, err := bundle.Unpack(<-menus); err != nil {
		t.Error(err)
	}
	d.want(&wire.Ended{})
	d.exits()
}

// readMenu reads messages until a menu is whole.
func readMenu(r io.Reader) []byte {
	messages := agentwire.NewReader(r)
	var packed []byte
	for {
		m, err := messages.Read()
		if err != nil {
			return nil
		}
		switch m := m.(type) {
		case *agentwire.Menu:
			packed = append(packed, m.Data...)
		case *agentwire.MenuEnd:
			return packed
		}
	}
}
