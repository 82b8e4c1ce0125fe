package apps

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"goldm/ldm/localuser"
	"goldm/ldm/room"
	"goldm/ldm/xserver"
)

// furnished is a place with all that its programs need but a home.
type furnished struct {
	Place
	env []string // of each program
	bus *bus     // nil where there is none
}

// havePlace makes the place ready for the first program, and waits until it can
// use the screen.
func (a *Apps) havePlace() error {
	if err := a.furnish(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.ctx, screenLimit)
	defer cancel()
	return a.place.Screen(ctx)
}

// furnish makes the place, unless that was done.
func (a *Apps) furnish() error {
	a.placing.Lock()
	defer a.placing.Unlock()
	if a.place != nil {
		return nil
	}
	place, err := a.config.Open(a.ctx)
	if err != nil {
		return err
	}
	cookies := filepath.Join(place.User.Dir, "Xauthority")
	if err := xserver.WriteAuth(cookies, place.User.User, place.Cookie); err != nil {
		return err
	}
	f := &furnished{Place: place}
	f.env = slices.Concat(a.environment(f), []string{"XAUTHORITY=" + cookies}, place.Env)
	a.place = f
	return nil
}

// furnishBus starts the D-Bus session, with the home of the first program.
func (a *Apps) furnishBus(home Home) {
	f := a.place
	var err error
	if f.bus, err = startBus(a.ctx, f, home, a.log, a.config.Output); err != nil {
		a.log.Warn("programs have no D-Bus", "cause", err)
	}
	f.env = append(f.env, "DBUS_SESSION_BUS_ADDRESS="+f.bus.address())
}

// makeFolder makes a folder of the user's in the room.
func (f *furnished) makeFolder(path string) error {
	process, err := f.Room.Start(room.Command{Name: "folder", Args: []string{"true"}, Env: []string{"PATH=/usr/bin:/bin"}, Folder: path})
	if err != nil {
		return err
	}
	if err := process.Err(); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	return nil
}

func (a *Apps) environment(f *furnished) []string {
	return []string{
		"USER=" + f.User.Name, "LOGNAME=" + f.User.Name, "SHELL=" + localuser.Shell,
		"PATH=" + strings.Join(folders, ":"), "LANG=" + a.config.Language,
		"DISPLAY=" + f.Display, "XDG_RUNTIME_DIR=" + f.Room.Runtime(), "XDG_SESSION_TYPE=x11",
	}
}
