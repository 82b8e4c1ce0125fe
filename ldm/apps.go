package ldm

import (
	"cmp"
	"context"
	"log/slog"

	"goldm/internal/failure"
	"goldm/ldm/apps"
	"goldm/ldm/fence"
	"goldm/ldm/localdisplay"
	"goldm/ldm/wire"
)

// newApps makes the login's programs, none of which runs yet.
func (l *local) newApps(lang string) {
	s := l.seat
	config := apps.Config{Open: l.place, Language: cmp.Or(lang, language()), Log: l.log}
	config.Home = func(ctx context.Context, place apps.Place) (apps.Home, error) { return l.mountHome(ctx, place) }
	if s.Settings.Apps.On {
		config.Policy = &apps.Policy{Allowed: s.Settings.Apps.Whitelist}
	}
	if l.log.Enabled(l.ctx, slog.LevelDebug) {
		var err error
		if l.said, l.saying, err = newOutputAt(l.log.With("process", "local programs"), slog.LevelDebug); err != nil {
			l.log.Warn("what programs say is not logged", "cause", err)
		}
	}
	config.Output = l.saying
	l.apps = apps.New(config)
}

// show tells of the session's X server, which starts after newApps and before the first
// program.
func (l *local) show(screen wire.Screen) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.x = screen
}

func (l *local) screen() wire.Screen {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.x
}

// place is the room for programs.
func (l *local) place(ctx context.Context) (apps.Place, error) {
	if err := l.open(ctx); err != nil {
		return apps.Place{}, err
	}
	groups, err := l.seat.groups("audio", "video", "render")
	if err != nil {
		return apps.Place{}, err
	}
	if err := l.openDisplay(); err != nil {
		return apps.Place{}, noScreen(err)
	}
	place := apps.Place{
		Room: l.room, User: l.user, Groups: groups, Display: l.display.Name, Cookie: l.display.Cookie,
		Screen: func(ctx context.Context) error { return noScreen(l.display.Ready(ctx)) },
	}
	if l.sound != nil {
		place.Env = []string{"PULSE_SERVER=unix:" + l.sound.Socket, "PULSE_COOKIE=" + l.sound.CookieFile()}
	}
	return place, nil
}

// openDisplay makes the programs' display, for the first of them.
func (l *local) openDisplay() (err error) {
	if l.display != nil {
		return nil
	}
	s, x := l.seat, l.screen()
	l.display, err = localdisplay.Open(localdisplay.Config{
		Program: append(s.enclose(fence.Plan{Duty: fence.Plain, User: s.Users.Filter, Own: true}), s.Worker, "filter"),
		User:    l.user.User, Folder: l.displays,
		Display: x.Display, Cookie: x.Cookie,
		Group: s.children, Output: l.logged, Log: l.log,
	})
	return err
}

// noScreen says why a program does not start.
func noScreen(err error) error {
	if err == nil {
		return nil
	}
	return failure.New(err, "Programs of this client cannot use the screen. The client's log says why.")
}

// run runs a program for the session, or says why not.
func (l *local) run(run *wire.Run) {
	l.apps.Start(run, func(ran *wire.Ran) { l.worker.tell(ran) })
}
