package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/failure"
	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/desktop"
	"goldm/session/far"
)

// othersScript asks the server's agent for the user's other sessions. Where there is no agent
// it says nothing.
const othersScript = `ldm_agent=$(PATH=$PATH:/usr/local/bin:/usr/bin:/usr/sbin; command -v ltsp-server-agent) && exec "$ldm_agent" others`

const (
	// othersWithin is how long an agent may take to answer; the user's shell reads
	// its own files first.
	othersWithin = 20 * time.Second

	// maxOthers bounds an agent's answer with what the shell prints, in bytes.
	maxOthers = 64 << 10

	// maxAsked is how often the question is asked where the answer is neither yes nor no.
	maxAsked = 3
)

// admit lets a user in who has just logged in, unless another session of the
// user is in the way.
func (w *worker) admit(ctx context.Context, client *session.Client, login *wire.Login, server string) error {
	if err := w.oneSession(ctx, client, login.OneSession); err != nil {
		client.Close()
		return err
	}
	return w.authenticated(client, server)
}

// oneSession decides what happens to other sessions of the user: w.others tells the
// agent, which does it when the desktop starts.
func (w *worker) oneSession(ctx context.Context, client *session.Client, mode string) error {
	switch mode {
	case wire.EndOthers:
		w.others = agentwire.EndOthers
		return nil
	case wire.AskOthers:
	default:
		return nil
	}
	w.others = agentwire.RefuseBesideOthers // what begins from now on was not asked about
	ctx, stop := connected(ctx, client)
	defer stop()
	list, missing, err := othersOf(ctx, client)
	if err != nil {
		w.log.Warn("other sessions of the user are not known here", "err", err)
	}
	if missing && ctx.Err() == nil {
		if _, err := w.question(ctx, wire.Info, "Not all servers can be asked now whether you are logged in there."); err != nil {
			return err
		}
	}
	if len(list) == 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	end, err := w.askToEnd(ctx, list)
	if err != nil {
		return err
	}
	if !end {
		return failure.Refuse(nil, "You stay logged in%s. Log out there first, or let that session be ended.", far.Where(list))
	}
	w.others = agentwire.EndOthers
	return nil
}

// othersOf asks the server's agent for the user's other sessions; none where
// there is no agent. missing tells that there may be more.
func othersOf(ctx context.Context, client *session.Client) (list []agentwire.Session, missing bool, err error) {
	said := &limited{limit: maxOthers}
	process := client.Command(session.Cmd{
		Line:   desktop.Command([]string{"/bin/sh", "-c", othersScript}),
		Stdout: said,
	})
	if err := process.Start(ctx); err != nil {
		return nil, false, err
	}
	late := time.AfterFunc(othersWithin, func() { process.Close() })
	defer late.Stop()
	stop := context.AfterFunc(ctx, func() { process.Close() })
	defer stop()
	result := process.Wait()
	for messages := agentwire.NewReader(&said.Buffer); ; {
		m, err := messages.Read()
		if others, ok := m.(*agentwire.Others); ok {
			return others.List, others.Missing, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("the server's agent does not tell: %v", result)
		}
	}
}

// limited is a buffer that drops what is too much.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), l.limit-l.Len())])
	return len(p), nil
}

// askToEnd asks the person whether other sessions are to be ended.
func (w *worker) askToEnd(ctx context.Context, list []agentwire.Session) (bool, error) {
	those := "that session"
	if len(list) > 1 {
		those = "these sessions"
	}
	// As with PAM's, the last line is the prompt.
	question := fmt.Sprintf("You are logged in%s.\nEnd %s? Type yes or no: ", far.Where(list), those)
	for range maxAsked {
		answer, err := w.question(ctx, wire.Visible, question)
		if err != nil {
			return false, err
		}
		typed := ""
		if answer.Text != nil {
			typed = strings.ToLower(strings.TrimSpace(*answer.Text))
		}
		switch typed {
		case "yes", "y":
			return true, nil
		case "no", "n", "":
			return false, nil
		}
	}
	return false, nil
}
