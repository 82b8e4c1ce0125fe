package agent

import (
	"context"
	"io"
	"log/slog"
	"os"

	"goldm/internal/agentwire"
	"goldm/server-agent/sessions"
)

// entered is a session's place among the user's sessions.
type entered struct {
	lock io.Closer // nil for none
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
	held, err := sessions.Others(id)
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
