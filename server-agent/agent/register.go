package agent

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"goldm/internal/agentwire"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

const (
	// registerLimit bounds the wait for the daemon, which may have sessions on other
	// servers to end first.
	registerLimit = 2 * time.Minute

	// A daemon that has gone is looked for soon, since it may be started anew, and then
	// ever more seldom.
	firstRedial = 100 * time.Millisecond
	lastRedial  = 5 * time.Second

	// tellLimit bounds what is spent on telling the daemon something.
	tellLimit = 2 * time.Second
)

// registration keeps a session known to the server's daemon, where there is one.
type registration struct {
	me    sessions.Session
	log   *slog.Logger
	asked chan struct{} // closed when somebody wants the session to end
	stop  context.CancelFunc
	task  sync.WaitGroup
}

// register makes a session known, on the terms of agentwire.OneSession. Where it is not
// to be, there is no registration: held are the sessions in its way, and drained
// tells that the server takes no new ones.
func register(ctx context.Context, me sessions.Session, mode string, log *slog.Logger) (r *registration, held []sessions.Session, drained bool) {
	client, err := control.Dial(ctx, control.Path)
	if err != nil {
		if !control.Absent(err) {
			log.Warn("the server's daemon cannot be asked", "err", err)
		}
		if !control.DrainedSince(control.DrainFile).IsZero() {
			return nil, nil, true
		}
		return newRegistration(me, nil, log), nil, false
	}
	wait, cancel := context.WithTimeout(ctx, registerLimit)
	defer cancel()
	answer, err := client.Register(wait, control.Register{
		ID: me.ID, Client: me.Client, Began: me.Began,
		One:     mode == agentwire.EndOthers || mode == agentwire.RefuseBesideOthers,
		Replace: mode == agentwire.EndOthers,
	})
	switch {
	case err != nil:
		// A daemon that is at odds with itself keeps nobody out.
		log.Warn("the session is not known to the server's daemon", "err", err)
		client.Close()
		return newRegistration(me, nil, log), nil, false
	case answer.Refused != "" || len(answer.Held) > 0:
		client.Close()
		return nil, answer.Held, answer.Refused != ""
	case answer.Warning != "":
		log.Warn("other sessions of the user may be unknown", "reason", answer.Warning)
	}
	return newRegistration(me, client, log), nil, false
}

// newRegistration keeps up a registration that was made over client, which may be nil.
func newRegistration(me sessions.Session, client *control.Client, log *slog.Logger) *registration {
	r := &registration{me: me, log: log, asked: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.task.Go(func() { r.keep(ctx, client) })
	return r
}

// close ends the registration.
func (r *registration) close() {
	r.stop()
	r.task.Wait()
}

// keep registers the session again with each daemon that comes.
func (r *registration) keep(ctx context.Context, client *control.Client) {
	for pause := firstRedial; ctx.Err() == nil; pause = min(2*pause, lastRedial) {
		if client == nil {
			client = r.again(ctx)
		}
		if client != nil {
			r.listen(ctx, client)
			client.Close()
			client = nil
			pause = firstRedial
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// again registers a session that runs; nil where there is no daemon.
func (r *registration) again(ctx context.Context) *control.Client {
	client, err := control.Dial(ctx, control.Path)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, registerLimit)
	defer cancel()
	if _, err := client.Register(ctx, control.Register{ID: r.me.ID, Client: r.me.Client, Began: r.me.Began, Again: true}); err != nil {
		client.Close()
		return nil
	}
	return client
}

// listen waits for the daemon to go, or to want the session's end.
func (r *registration) listen(ctx context.Context, client *control.Client) {
	for {
		select {
		case e := <-client.Ending():
			if err := sessions.Tell(r.me.ID, os.Getenv("XDG_RUNTIME_DIR"), e.By); err != nil {
				r.log.Warn("the client is not told who ends the session", "err", err)
			}
			select {
			case <-r.asked:
			default:
				close(r.asked)
			}
		case <-client.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// leave tells the daemon, if there is one, that a session begins to end.
func leave(id string) {
	tell(func(ctx context.Context, client *control.Client) { client.Leave(ctx, id) })
}

// countLogin tells the daemon how a login went, if there is one.
func countLogin(result string, took time.Duration) {
	tell(func(ctx context.Context, client *control.Client) {
		client.Login(ctx, control.Login{Result: result, Seconds: max(0, took.Seconds())})
	})
}

// tell tells the daemon, if there is one, something on which nothing depends.
func tell(what func(context.Context, *control.Client)) {
	ctx, cancel := context.WithTimeout(context.Background(), tellLimit)
	defer cancel()
	client, err := control.Dial(ctx, control.Path)
	if err != nil {
		return
	}
	defer client.Close()
	what(ctx, client)
}
