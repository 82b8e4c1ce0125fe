package far

import (
	"context"
	"fmt"

	"goldm/internal/agentwire"
)

// ping tells the agent that we are there, and finds out whether it is. An agent that has never answered is
// left alone. A ping that the agent does not take keeps nobody: it counts as one without an answer.
func (e *End) ping(ctx context.Context) {
	due := make(chan struct{}, 1)
	e.tasks.Go(func() { e.sayPings(ctx, due) })
	err := e.asker.Watch(ctx, e.limits, true, func(uint32) error {
		select {
		case due <- struct{}{}:
		default:
		}
		return nil
	})
	if err != nil {
		e.log.Error("the session's agent on the server hangs", "err", err)
		close(e.hung)
	}
}

// sayPings says what is due. A Write that waits is ended by Close.
func (e *End) sayPings(ctx context.Context, due <-chan struct{}) {
	for {
		select {
		case <-due:
			e.say(&agentwire.Ping{})
		case <-ctx.Done():
			return
		}
	}
}

// Hung is closed when the agent has stopped answering. What it has left to say will not come.
func (e *End) Hung() <-chan struct{} { return e.hung }

// IsHung tells whether the agent has stopped answering.
func (e *End) IsHung() bool {
	select {
	case <-e.hung:
		return true
	default:
		return false
	}
}

// Broken returns, after Close, a sentence where the server's part of the session stopped working, or took this
// computer for gone. With lost set the connection itself was lost, and an agent that is silent is not to blame.
func (e *End) Broken(server string, lost bool) string {
	switch {
	case e.IsHung() && !lost:
		return fmt.Sprintf("The session on the server %s stopped answering and was ended. Log in again.", server)
	case e.broken:
		return fmt.Sprintf("A part of the session on the server %s stopped answering, which ended it. Log in again.", server)
	case e.silent:
		return fmt.Sprintf("The server %s did not hear from this computer for a while and ended the session. "+
			"That happens when the computer sleeps, or the network is interrupted. Log in again.", server)
	}
	return ""
}
