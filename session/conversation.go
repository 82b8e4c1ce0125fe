package session

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"goldm/session/prompt"
)

// hold is how long a connection waits for the answer to its first question. Then
// it is closed and, when the answer comes, made again, for a connection that is not logged in yet
// takes one of sshd's few places for such (MaxStartups 10:30:100, sshd_config(5)). A
// practised person types a password in less; the second connection costs a tenth of a second.
const hold = 5 * time.Second

// longHold is hold for OpenSSH 9.8 and later, which makes an address pay a second for each
// connection that is closed before it logs in, and shuts it out over fifteen (PerSourcePenalties): a
// school behind one address would be. It is half of sshd's LoginGraceTime, past which costs ten.
const longHold = time.Minute

// crossing is how soon after an answer a connection may end for the two to have
// met. PAM takes longer to refuse an answer, and then sshd says so.
const crossing = time.Second

var (
	// errHeld closes a connection that has waited too long for an answer.
	errHeld = errors.New("not kept while the person types")

	// errAgain ends an attempt that is to be made again: the connection was gone
	// when the answer came.
	errAgain = errors.New("the connection did not outlast the question")
)

// conversation is the person's side of a login, in which one connection may
// follow another. It is the Prompter of the connections' dialogues.
type conversation struct {
	prompter prompt.Prompter
	progress func(string)
	begun    bool // whether the person was asked anything

	// Of the connection in use.
	line     *line
	patience *patience
	hold     time.Duration   // for its first question; 0 for no limit
	answers  int             // that it got
	first    *carried        // of these
	sent     time.Time       // when that was
	reading  []prompt.Notice // what was shown before its first question
	advanced atomic.Bool     // a step of the authentication has been taken

	// Of earlier connections.
	read    []prompt.Notice // what was shown before their first question
	carried *carried        // an answer that none of them took
	broken  bool            // the last one was closed in the middle
	resent  bool            // an answer was sent again that may have crossed the end
}

// carried is an answer, and the question that it answers.
type carried struct {
	question prompt.Question
	answer   string
}

// use makes a fresh connection the one in use.
func (c *conversation) use(l *line, p *patience) {
	c.line, c.patience = l, p
	c.hold, c.answers = 0, 0
	c.read, c.reading = append(c.read, c.reading...), nil
	c.advanced.Store(false)
}

// Ask implements prompt.Prompter.
func (c *conversation) Ask(ctx context.Context, q prompt.Question) (string, error) {
	if answer, ok := c.carry(q); ok {
		c.took(q, answer)
		return answer, nil
	}
	if err := c.excuse(ctx); err != nil {
		return "", err
	}
	c.begun = true
	answer, err := c.ask(ctx, q)
	if err != nil {
		return "", err
	}
	if c.line.lost() != nil {
		c.broken = true
		if c.answers == 0 {
			c.carried = &carried{q, answer}
		}
		return "", errAgain
	}
	c.took(q, answer)
	return answer, nil
}

// ask asks the person, for whom the connection is held only so long.
func (c *conversation) ask(ctx context.Context, q prompt.Question) (answer string, err error) {
	if c.hold > 0 && c.answers == 0 && !c.advanced.Load() {
		held := c.line
		timer := time.AfterFunc(c.hold, func() { held.fail(errHeld) })
		defer func() {
			if !timer.Stop() {
				held.fail(errHeld) // about to be closed, if it is not yet
			}
		}()
	}
	c.patience.rest(func() { answer, err = c.prompter.Ask(ctx, q) })
	return answer, err
}

// carry returns the answer that an earlier connection did not take, if this
// question is the same, and the connection's first, as it was there.
func (c *conversation) carry(q prompt.Question) (string, bool) {
	waiting := c.carried
	c.carried = nil
	if waiting == nil || c.answers > 0 || waiting.question != q {
		return "", false
	}
	c.broken = false
	return waiting.answer, true
}

// excuse says why a question comes that the person has answered already.
func (c *conversation) excuse(ctx context.Context) error {
	if !c.broken {
		return nil
	}
	c.broken = false
	return c.show(ctx, prompt.Notice{Text: "The server did not wait for the answer. It asks anew.", Error: true})
}

// took begins the server's turn.
func (c *conversation) took(q prompt.Question, answer string) {
	if c.answers++; c.answers == 1 {
		c.first, c.sent = &carried{q, answer}, time.Now()
	}
	c.patience.newTurn()
	c.progress(checking(q))
}

// crossed reports whether the first answer and the server's end of the connection
// may have met on their way, and if so, once, carries the answer to the next one.
func (c *conversation) crossed() bool {
	if c.resent || c.answers != 1 || time.Since(c.sent) > crossing {
		return false
	}
	c.resent, c.carried = true, c.first
	return true
}

// Show implements prompt.Prompter. What the person has read on an earlier
// connection is not shown again.
func (c *conversation) Show(ctx context.Context, n prompt.Notice) error {
	if c.answers == 0 {
		if slices.Contains(c.read, n) {
			return nil
		}
		c.reading = append(c.reading, n)
	}
	err := c.show(ctx, n)
	c.patience.newTurn()
	return err
}

func (c *conversation) show(ctx context.Context, n prompt.Notice) (err error) {
	c.begun = true
	c.patience.rest(func() { err = c.prompter.Show(ctx, n) })
	return err
}

// advance tells the person of a step that the server accepted.
func (c *conversation) advance(text string) {
	c.advanced.Store(true)
	c.progress(text)
}

// checking says what the server does with an answer.
func checking(q prompt.Question) string {
	if q.Echo {
		return "Waiting for the server…"
	}
	return "Checking the password…"
}

var openSSH = regexp.MustCompile(`^SSH-2\.0-OpenSSH_(\d{1,4})\.(\d{1,4})`)

// holdFor is how long a connection to a server of that version is held.
func holdFor(version string) time.Duration {
	match := openSSH.FindStringSubmatch(version)
	if match == nil {
		return hold
	}
	major, _ := strconv.Atoi(match[1])
	minor, _ := strconv.Atoi(match[2])
	if major > 9 || major == 9 && minor >= 8 {
		return longHold
	}
	return hold
}
