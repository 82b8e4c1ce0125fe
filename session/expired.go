package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/internal/via"
	"goldm/session/auth"
	"goldm/session/passwd"
	"goldm/session/prompt"
)

// Where a password has expired and sshd asks for it itself (method "password"),
// the login succeeds, but all that it is good for is to change the password: every command is
// replaced by passwd(1), and without a terminal by an error (do_pwchange in OpenSSH's session.c).

const (
	// harmless is a command that every shell knows and that does nothing. It is not a
	// shell: if it runs after all, nobody's answers become commands.
	harmless       = "exit 77"
	harmlessStatus = 77

	// wantsTerminal is what sshd says, always in English, in place of a command.
	wantsTerminal = "Password change required but no TTY available"

	// findOut is how long the user's shell may take to run nothing; sshd itself is faster.
	findOut = 10 * time.Second

	passwordTries = 3
	maxSaid       = 500 // of the server's reason in a sentence, in characters
)

// inspect finds out what a fresh connection is good for. It returns nil where it
// can carry a session, and errAgain once an expired password is changed; unless it
// returns nil the client is closed.
func (d *dialler) inspect(ctx context.Context, client *Client) error {
	said, err := d.look(ctx, client)
	switch {
	case err == nil && said == "":
		return nil
	case err == nil && strings.Contains(said, wantsTerminal):
		err = d.changePassword(ctx, client)
	case err == nil:
		err = failure.Refuse(nil, "The server %s does not start a session. It says: %s", d.name(), lastLine(said))
	}
	client.Close()
	return d.ended(ctx, err)
}

// look returns what the server says in place of running something, where it has something to
// say; said is empty where all is well. Where X11 is wanted that costs two round trips and no
// process: sshd forwards nothing for an expired password, nor where PAM opened no session. A banner
// at the end of the login costs a run of the user's shell.
func (d *dialler) look(ctx context.Context, client *Client) (said string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.Limits.Turn, errTurn)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { client.line.fail(context.Cause(ctx)) })
	defer stop()
	forwards := !d.X11 || client.forwardsX11()
	if forwards && !d.warned {
		return "", context.Cause(ctx)
	}
	said, ran := client.runNothing(ctx)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case ran && !forwards && d.Way == via.Forwarded:
		return "", client.noX11()
	case ran, forwards && !strings.Contains(said, wantsTerminal): // a command that the administrator forces
		return "", nil
	}
	return said, nil
}

// runNothing runs nothing, and returns what is said instead where the server
// runs something else.
func (c *Client) runNothing(ctx context.Context) (said string, ran bool) {
	output, complaints := limited{left: 8 << 10}, limited{left: 8 << 10}
	process := c.Command(Cmd{Line: harmless, Stdout: &output, Stderr: &complaints})
	if process.Start(ctx) != nil {
		return "", false
	}
	slow := time.AfterFunc(findOut, func() { process.Close() })
	defer slow.Stop()
	exit, failed := errors.AsType[*ExitError](process.Wait())
	return output.String() + complaints.String(), failed && exit.Status == harmlessStatus
}

// lastLine is the last line of what the server says, which is its reason: before
// it stand the messages of the day.
func lastLine(said string) string {
	lines := strings.Split(strings.TrimSpace(text.Harmless(said, len(said))), "\n")
	return text.Line(lines[len(lines)-1], maxSaid)
}

// changePassword lets the person answer passwd. Where the password was not
// changed it begins anew, as the person would.
func (d *dialler) changePassword(ctx context.Context, client *Client) error {
	d.Log.Info("the password has expired")
	for try := 1; ; try++ {
		outcome, err := client.runPasswd(ctx, hurried{d.Prompter, d.Progress})
		if err == nil {
			return d.changed(ctx, outcome)
		}
		if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Signal != "" {
			return d.notChanged(err)
		}
		d.Log.Info("the password was not changed", "err", err)
		if try == passwordTries {
			return failure.Refuse(err, "The password has expired and was not changed. The server %s says: %s",
				d.name(), text.Harmless(outcome.Said, maxSaid))
		}
		if err := d.Prompter.Show(ctx, prompt.Notice{Text: outcome.Said, Error: true}); err != nil {
			return err
		}
	}
}

// changed prepares the login with the new password.
func (d *dialler) changed(ctx context.Context, outcome passwd.Outcome) error {
	if outcome.Said != "" {
		if err := d.Prompter.Show(ctx, prompt.Notice{Text: outcome.Said}); err != nil {
			return err
		}
	}
	if outcome.Password != "" {
		d.person.carried = &carried{prompt.Question{Text: auth.PasswordPrompt}, outcome.Password}
	}
	d.Progress("Logging in with the new password…")
	return errAgain
}

// notChanged explains a dialogue that came to no end.
func (d *dialler) notChanged(err error) error {
	if errors.Is(err, passwd.ErrDialogue) || errors.Is(err, errNoStatus) || errors.Is(err, errTurn) {
		return failure.New(err, "The password has expired, and the server %s does not let it be changed from here. "+
			"Ask the administrator for a new one.", d.name())
	}
	return fmt.Errorf("change the password: %w", err)
}

// runPasswd runs passwd on a terminal of the server, and the person answers it. An
// *ExitError says that the password was not changed.
func (c *Client) runPasswd(ctx context.Context, person prompt.Prompter) (passwd.Outcome, error) {
	typed, keyboard := io.Pipe()
	screen, shown := io.Pipe()
	process := c.Command(Cmd{Line: harmless, Terminal: true, Stdin: typed, Stdout: shown})
	if err := process.Start(ctx); err != nil {
		return passwd.Outcome{}, err
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		process.Wait()
		typed.Close()
		shown.Close()
	})
	outcome, err := passwd.Run(ctx, passwd.Config{
		Terminal: &terminalEnd{screen, keyboard},
		Prompter: person,
		Turn:     c.limits.Turn,
	})
	if err != nil {
		c.line.fail(err)
	}
	late := time.AfterFunc(c.limits.Turn, func() { c.line.fail(errTurn) })
	defer late.Stop()
	waiting.Wait()
	if err != nil {
		return outcome, err
	}
	if exit, ok := errors.AsType[*ExitError](process.Result()); ok && exit.Status == harmlessStatus {
		return passwd.Outcome{}, nil // the password was changed elsewhere meanwhile
	}
	return outcome, process.Result()
}

// terminalEnd is our end of a terminal.
type terminalEnd struct {
	*io.PipeReader
	keyboard *io.PipeWriter
}

func (t *terminalEnd) Write(p []byte) (int, error) { return t.keyboard.Write(p) }

func (t *terminalEnd) Close() error { return errors.Join(t.PipeReader.Close(), t.keyboard.Close()) }

// hurried is a person who is told that the server works on the answer.
type hurried struct {
	prompt.Prompter
	progress func(string)
}

func (h hurried) Ask(ctx context.Context, q prompt.Question) (string, error) {
	answer, err := h.Prompter.Ask(ctx, q)
	if err == nil {
		h.progress(checking(q))
	}
	return answer, err
}

// limited keeps the beginning of what is written to it.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	kept := p[:min(len(p), l.left)]
	l.left -= len(kept)
	l.Buffer.Write(kept)
	return len(p), nil
}
