package ldm

import (
	"cmp"
	"context"
	"log/slog"

	"goldm/ldm/apps"
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

// show tells the programs of the session's X server, which starts after newApps.
func (l *local) show(screen wire.Screen) { l.apps.Show(screen.Display, screen.Cookie) }

// place is the room for programs.
func (l *local) place(ctx context.Context) (apps.Place, error) {
	if err := l.open(ctx); err != nil {
		return apps.Place{}, err
	}
	groups, err := l.seat.groups("audio", "video", "render")
	if err != nil {
		return apps.Place{}, err
	}
	place := apps.Place{Room: l.room, User: l.user, Groups: groups}
	if l.sound != nil {
		place.Env = []string{"PULSE_SERVER=unix:" + l.sound.Socket, "PULSE_COOKIE=" + l.sound.CookieFile()}
	}
	return place, nil
}

// run runs a program for the session, or says why not.
func (l *local) run(run *wire.Run) {
	l.apps.Start(run, func(ran *wire.Ran) { l.worker.tell(ran) })
}
