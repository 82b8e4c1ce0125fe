package apps

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"goldm/ldm/localuser"
	"goldm/ldm/room"
	"goldm/ldm/xserver"
)

// furnished is a place with all that its programs need.
type furnished struct {
	Place
	home string
	env  []string // of each program
	bus  *bus     // nil where there is none
}

// furnish makes the place ready for the first program.
func (a *Apps) furnish() {
	place, err := a.config.Open(a.ctx)
	if err != nil {
		a.log.Error("no program can run on this client", "cause", err)
		return
	}
	f := &furnished{Place: place}
	cookies := filepath.Join(place.User.Dir, "Xauthority")
	if err := xserver.WriteAuth(cookies, place.User.User, a.config.Cookie); err != nil {
		a.log.Error("programs cannot use the screen", "cause", err)
	}
	if err := a.makeHome(f); err != nil {
		a.log.Error("programs have no home", "cause", err)
	}
	f.env = slices.Concat(a.environment(f), []string{"XAUTHORITY=" + cookies}, place.Env)
	if f.bus, err = startBus(f, a.log, a.config.Output); err != nil {
		a.log.Warn("programs have no D-Bus", "cause", err)
	}
	f.env = append(f.env, "DBUS_SESSION_BUS_ADDRESS="+f.bus.address())
	a.place = f
}

// makeHome mounts the home, or makes an empty one, and puts it into the user's
// record, where programs look too.
func (a *Apps) makeHome(f *furnished) (err error) {
	if a.config.Home != nil {
		if f.home, err = a.config.Home(a.ctx, f.Place); err != nil {
			a.log.Warn("programs have an empty home for this session", "cause", err)
		}
	}
	if f.home == "" {
		f.home = filepath.Join(f.Room.Runtime(), "home")
		if err := f.makeFolder(f.home); err != nil {
			return err
		}
	}
	return f.User.SetHome(f.home)
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
		"HOME=" + f.home, "USER=" + f.User.Name, "LOGNAME=" + f.User.Name, "SHELL=" + localuser.Shell,
		"PATH=" + strings.Join(folders, ":"), "LANG=" + a.config.Language,
		"DISPLAY=" + a.config.Display, "XDG_RUNTIME_DIR=" + f.Room.Runtime(), "XDG_SESSION_TYPE=x11",
	}
}

func (f *furnished) close() { f.bus.close() }
