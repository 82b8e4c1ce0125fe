package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/desktop"
	"goldm/session/far"
	"goldm/session/sound"
)

const (
	// endGrace is how long the desktop may take to end when ldm has hung up.
	endGrace = 3 * time.Second

	// saveGrace is how long ldm may take to end programs that have the home.
	saveGrace = 8 * time.Second

	// A desktop that ends with an error sooner than this has not come up.
	shortest = 10 * time.Second
)

// runSession prepares the server while the session's X server starts, and then runs the
// desktop.
func (w *worker) runSession(ctx context.Context, client *session.Client, login *wire.Login, start *wire.Start) error {
	offered := w.startSound(ctx, client, start.Sound)
	defer offered.Close()
	defer client.Close()
	stage, err := client.Prepare(ctx, login.X11)
	if err != nil {
		return w.failed(ctx, err)
	}
	screen, err := await[*wire.Screen](ctx, w, client)
	if err != nil {
		return w.failed(ctx, err)
	}
	return w.runDesktop(ctx, client, login, start, prepared{sound: offered, stage: stage, screen: screen})
}

// prepared is what a desktop starts with.
type prepared struct {
	sound  *sound.Sound
	stage  *session.Stage
	screen *wire.Screen
}

// runDesktop runs the desktop until it ends, or ctx does, and tells ldm.
func (w *worker) runDesktop(ctx context.Context, client *session.Client, login *wire.Login, start *wire.Start, with prepared) error {
	offered := with.sound
	homes := w.newHomes(ctx, client)
	defer homes.close()
	defer client.Close()
	apps := w.startApps(ctx, login.ID, with.screen, start.Apps != nil)
	defer apps.close()
	defer w.attendMeanwhile(ctx, handlers{ran: apps.handler(), needHome: homes.need})()
	shown, err := show(ctx, with.stage, with.screen)
	if err != nil {
		return w.notStarted(ctx, err)
	}
	defer shown.Remove()
	process, end, err := w.startDesktop(ctx, client, shown, login, start, offered.Env(), apps.env())
	if err != nil {
		return w.notStarted(ctx, err)
	}
	offered.LeaveTo(end.Agent())
	if err := w.conn.Send(&wire.Started{}); err != nil {
		w.log.Warn("ldm not told", "err", err)
	}
	began := time.Now()
	w.awaitExit(ctx, process, end)
	lost := end.IsHung() && !client.Answers(ctx)
	apps.tellLogoutAction(ctx)
	offered.Remove()
	if homes.isOpen() && loggedOut(process) {
		defer end.Close()
		return w.endAtHome(ctx)
	}
	shown.Remove()
	client.Close()
	result := process.Wait()
	end.Close()
	ended := verdict(result, client.Server(), time.Since(began), end.Complaints())
	ended.Sentence = cmp.Or(end.Unwelcome(), end.Broken(client.Server(), lost), end.Darkened(client.Server()), ended.Sentence)
	if end.Drained() {
		ended.Sentence = fmt.Sprintf("The server %s takes no new logins now. Choose another one, or try again later.", client.Server())
	}
	return w.ended(ctx, ended)
}

// notStarted tells ldm why there is no desktop.
func (w *worker) notStarted(ctx context.Context, err error) error {
	return w.ended(ctx, &wire.Ended{Sentence: failure.Of(err).Sentence, Detail: detail(err)})
}

// awaitExit waits for the desktop's end, but not long once ctx has ended, and not where its agent hangs.
func (w *worker) awaitExit(ctx context.Context, process *session.Process, end *far.End) {
	select {
	case <-process.Exited():
		return
	case <-end.Hung():
		return
	case <-ctx.Done():
	}
	select {
	case <-process.Exited():
	case <-time.After(endGrace):
		w.log.Warn("the desktop did not end in time")
	}
}

// loggedOut reports whether the desktop has ended by itself, and well.
func loggedOut(process *session.Process) bool {
	select {
	case <-process.Exited():
		return process.Result() == nil
	default:
		return false
	}
}

// endAtHome tells ldm of the session's end and keeps the connection for those programs of
// the client that save something in the home, until ldm has ended them and hangs up.
func (w *worker) endAtHome(ctx context.Context) error {
	err := w.ended(ctx, &wire.Ended{})
	select {
	case <-ctx.Done():
	case <-time.After(saveGrace):
		w.log.Warn("ldm did not hang up in time")
	}
	return err
}

// startDesktop starts the desktop on a display, with more in its environment; the end is
// followed, and is to be closed.
func (w *worker) startDesktop(ctx context.Context, client *session.Client, shown *session.Shown, login *wire.Login, start *wire.Start, more ...map[string]string) (*session.Process, *far.End, error) {
	settings := desktop.Settings{
		Session:  start.Session,
		Language: start.Language,
		XSession: login.XSession,
		Env:      make(map[string]string),
		Menu:     hasMenu(start.Apps),
	}
	maps.Copy(settings.Env, login.Env)
	for _, env := range append(more, shown.Env()) {
		maps.Copy(settings.Env, env)
	}
	if w.others != "" {
		settings.Env[agentwire.OneSession] = w.others
	}
	line, err := settings.CommandLine()
	if err != nil {
		return nil, nil, err
	}
	end := far.New(w.log)
	process := client.Command(session.Cmd{
		Line:   line,
		Env:    settings.Setenv(),
		Stdin:  end.Stdin,
		Stdout: end.Stdout,
		Stderr: end.Stderr,
		X11:    shown.Forwarded(),
	})
	if err := process.Start(ctx); err != nil {
		end.Close()
		return nil, nil, err
	}
	end.Follow(ctx, process)
	w.sendMenu(end, start.Apps)
	return process, end, nil
}

// ended tells ldm how the session ended. Where ctx has ended nobody listens.
func (w *worker) ended(ctx context.Context, message *wire.Ended) error {
	w.log.Info("session ended", "sentence", message.Sentence, "detail", message.Detail)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return w.conn.Send(message)
}

// verdict says how a session ended: by logging out, or why else.
func verdict(result error, server string, lasted time.Duration, complaints string) *wire.Ended {
	if result == nil {
		return &wire.Ended{}
	}
	ended := &wire.Ended{Detail: detail(result)}
	var exit *session.ExitError
	var known *failure.Failure
	switch {
	case errors.As(result, &known):
		ended.Sentence = known.Sentence
	case !errors.As(result, &exit):
		ended.Sentence = fmt.Sprintf("The server %s ended the session. Log in again.", server)
	case lasted < shortest:
		ended.Sentence = fmt.Sprintf("The desktop on the server %s ended at once. "+
			"Choose another session, or ask the administrator.", server)
		ended.Detail += ": " + text.Line(complaints, maxDetail/2)
	case exit.Signal != "":
		ended.Sentence = fmt.Sprintf("The desktop was stopped on the server %s. Log in again.", server)
	}
	return ended
}
