package far

import (
	"time"

	"goldm/internal/agentwire"
)

// SendMenu sends a menu to an agent that waits for one, meanwhile. It follows Follow.
// What collect returns is a bundle; it may take its time.
func (e *End) SendMenu(collect func() ([]byte, error)) {
	e.tasks.Go(func() {
		packed, err := collect()
		if err != nil {
			e.log.Warn("no menu for the desktop", "err", err)
		}
		if e.awaitHello() {
			e.sendMenu(packed)
		}
	})
}

// awaitHello waits for an agent; false where the process has ended before one came.
func (e *End) awaitHello() bool {
	late := time.NewTimer(helloWithin)
	defer late.Stop()
	for {
		select {
		case <-e.hello:
			return true
		case <-late.C:
			e.log.Warn("the client's programs are not in the desktop's menus: that takes ltsp-server-agent on the server")
		case <-e.process.Exited():
			return false
		}
	}
}

// sendMenu sends the parts. Pings go between them.
func (e *End) sendMenu(packed []byte) {
	for len(packed) > 0 {
		part := packed[:min(len(packed), agentwire.MaxMenuData)]
		if err := agentwire.Write(e.fromUs, &agentwire.Menu{Data: part}); err != nil {
			e.log.Debug("menu not sent", "err", err)
			return
		}
		packed = packed[len(part):]
	}
	e.say(&agentwire.MenuEnd{})
}
