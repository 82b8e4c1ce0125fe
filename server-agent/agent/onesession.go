package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/cli"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

// entered is a session's place among the user's sessions.
type entered struct {
	lock  io.Closer // nil for none
	known *registration
}

// admit lets a session begin, unless the server is drained or another session of
// the user is in the way: then it tells the client, and the error is the exit status.
func admit(ctx context.Context, id, mode string, log *slog.Logger) (*entered, error) {
	began := time.Now()
	if !control.DrainedSince(control.DrainFile).IsZero() { // before others are ended for nothing
		return nil, turnAway(&agentwire.Drained{}, control.Refused, began)
	}
	e, held, err := enter(ctx, id, mode, log)
	if err != nil {
		return nil, err
	}
	drained := false
	if len(held) == 0 {
		me := sessions.Session{ID: id, Client: sessions.Here()}
		me.Began, _ = time.Parse(time.RFC3339, os.Getenv(sessions.BeganVariable)) // session set it
		e.known, held, drained = register(ctx, me, mode, log)
	}
	switch {
	case drained:
		return nil, turnAway(&agentwire.Drained{}, control.Refused, began)
	case len(held) > 0:
		return nil, turnAway(&agentwire.Others{List: told(held)}, control.Held, began)
	}
	return e, nil
}

// turnAway tells the client why there is no session.
func turnAway(why agentwire.Message, result string, began time.Time) error {
	countLogin(result, time.Since(began))
	return errors.Join(agentwire.Write(os.Stdout, why), cli.Exit(statusHeld))
}

// enter makes room for a session as the client asked: where the user is to have one
// session only, it ends the others, or returns those that stay. Until begun is called no
// other login of the user gets here, so of two at the same moment the second finds
// the first.
func enter(ctx context.Context, id, mode string, log *slog.Logger) (*entered, []sessions.Session, error) {
	e := new(entered)
	if mode != agentwire.EndOthers && mode != agentwire.RefuseBesideOthers {
		return e, nil, nil
	}
	lock, err := sessions.Lock(ctx, os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("HOME"))
	if err != nil {
		log.Warn("another login of the user at this moment goes unnoticed", "err", err)
	} else {
		e.lock = lock
	}
	if mode == agentwire.EndOthers {
		if err := sessions.EndOthers(ctx, id, sessions.Here(), log); err != nil {
			log.Warn("another session stays", "err", err)
		}
		return e, nil, ctx.Err()
	}
	held, err := sessions.Others(ctx, id)
	if err != nil {
		log.Warn("other sessions cannot be looked for", "err", err)
	}
	return e, held, nil
}

// begun lets the user's next login in.
func (e *entered) begun() {
	if e.lock != nil {
		e.lock.Close()
		e.lock = nil
	}
}
