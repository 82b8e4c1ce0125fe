package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"goldm/internal/failure"
	"goldm/internal/privs"
	"goldm/internal/text"
	"goldm/ldm/wire"
	"goldm/session"
)

// errHungUp is how ldm cancels a login and ends a session.
var errHungUp = errors.New("ldm closed the connection")

// worker is one login.
type worker struct {
	conn  *wire.Conn
	log   *slog.Logger
	inbox chan wire.Message

	others string // what is to become of the user's other sessions, for the agent
}

// Run serves one login over conn, and closes it. It returns nil when the login
// or the session has ended and ldm knows why, or ldm has hung up, or ctx has
// ended, which does the same.
func Run(stop context.Context, conn *wire.Conn, log *slog.Logger) error {
	if err := privs.Conceal(); err != nil {
		conn.Close()
		return err
	}
	w := &worker{conn: conn, log: log, inbox: make(chan wire.Message)}
	ctx, cancel := context.WithCancelCause(stop)
	var reading sync.WaitGroup
	reading.Go(func() { cancel(w.receive(ctx)) })
	err := w.serve(ctx)
	cancel(nil)
	conn.Close()
	reading.Wait()
	if errors.Is(err, errHungUp) || stop.Err() != nil {
		return nil
	}
	return err
}

// receive passes ldm's messages on, until there are no more.
func (w *worker) receive(ctx context.Context) error {
	for {
		message, err := w.conn.Receive()
		if errors.Is(err, io.EOF) {
			return errHungUp
		}
		if err != nil {
			return fmt.Errorf("message from ldm: %w", err)
		}
		if ping, ok := message.(*wire.Ping); ok {
			if err := w.conn.Send(&wire.Pong{ID: ping.ID}); err != nil {
				return fmt.Errorf("answer to ldm: %w", err)
			}
			continue
		}
		select {
		case w.inbox <- message:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// expect waits for ldm's next message, which has to be an M.
func expect[M wire.Message](ctx context.Context, w *worker) (M, error) {
	var none M
	select {
	case message := <-w.inbox:
		wanted, ok := message.(M)
		if !ok {
			return none, fmt.Errorf("message from ldm: %T where %T was due", message, none)
		}
		return wanted, nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// serve goes through the life of a login: Login, the questions, Start, Screen, the session.
func (w *worker) serve(ctx context.Context) error {
	login, err := expect[*wire.Login](ctx, w)
	if err != nil {
		return err
	}
	w.log = w.log.With("login", login.ID)
	client, err := w.login(ctx, login)
	if err != nil {
		return w.failed(ctx, err)
	}
	defer client.Close()
	start, err := await[*wire.Start](ctx, w, client)
	if err != nil {
		return w.failed(ctx, err)
	}
	return w.runSession(ctx, client, login, start)
}

// await is expect with the user logged in: it ends with the connection, too.
func await[M wire.Message](ctx context.Context, w *worker, client *session.Client) (M, error) {
	ctx, stop := connected(ctx, client)
	defer stop()
	return expect[M](ctx, w)
}

// connected returns a context that ends with the connection, too. stop has to be called.
func connected(ctx context.Context, client *session.Client) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-client.Done():
			cancel(client.Err())
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}

// failed tells ldm why there is no login. Where ctx has ended nobody listens.
func (w *worker) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f := failure.Of(err)
	w.log.Info("login failed", "refused", f.Refused, "err", err)
	return w.conn.Send(&wire.Failed{Refused: f.Refused, Sentence: f.Sentence, Detail: detail(err)})
}

// maxDetail bounds what goes to ldm's log, in characters.
const maxDetail = 1000

func detail(err error) string { return text.Line(err.Error(), maxDetail) }
