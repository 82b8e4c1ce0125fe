package worker

import (
	"goldm/ldm/wire"
	"goldm/localapps/menu"
	"goldm/session/far"
)

// hasMenu tells whether the desktop's menus get programs of the client, or its links
// open there.
func hasMenu(apps *wire.Apps) bool { return apps != nil && (apps.Menu || len(apps.URLs) > 0) }

// sendMenu sends those programs to the server's agent. What it reads for that anybody
// on the client may read.
func (w *worker) sendMenu(end *far.End, apps *wire.Apps) {
	if !hasMenu(apps) {
		return
	}
	end.SendMenu(func() ([]byte, error) {
		return menu.Collect(menu.Config{Menu: apps.Menu, Items: apps.Items, URLs: apps.URLs, Allowed: apps.Allowed}, w.log)
	})
}
