package login

import (
	"errors"
	"fmt"

	"goldm/internal/pulse"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

const misbehaved = "The login program misbehaved and was stopped. Try again; the log says more."

// fromWorker handles a message of a worker, which may be in a hostile server's
// hands: whatever does not fit the state ends it.
func (m *Machine) fromWorker(id LoginID, message wire.Message) {
	if id != m.login {
		return // told to stop, and had something left to say
	}
	switch message := message.(type) {
	case *wire.Progress:
		m.progressed(message)
	case *wire.Question:
		m.question(message)
	case *wire.Authenticated:
		m.authenticated(message)
	case *wire.Failed:
		m.failed(message)
	case *wire.Started:
		m.started()
	case *wire.Ended:
		m.ended(message)
	case *wire.Run:
		m.run(message)
	case *wire.LogoutAction:
		m.atLogout(message)
	default:
		m.violation(fmt.Sprintf("%T", message))
	}
}

func (m *Machine) progressed(p *wire.Progress) {
	if m.state == asking && m.owed && m.progress {
		m.do(Reply{Conn: m.owner, Response: &greetd.Progress{Text: harmless(p.Text)}})
	}
}

func (m *Machine) question(q *wire.Question) {
	switch q.Kind {
	case wire.Visible, wire.Secret, wire.Info, wire.Trouble:
	default:
		m.violation(fmt.Sprintf("a question of kind %.20q", q.Kind))
		return
	}
	if m.state != asking || !m.owed {
		m.violation("a question out of turn")
		return
	}
	if m.account != nil {
		m.answerFor(q)
		return
	}
	m.asked = q.Kind
	m.reply(&greetd.AuthMessage{Type: q.Kind, Text: harmless(q.Text)})
}

func (m *Machine) authenticated(a *wire.Authenticated) {
	if m.state != asking || !m.owed {
		m.violation("authenticated out of turn")
		return
	}
	m.state, m.server = ready, harmless(a.Server)
	m.report(false, "authenticated by "+m.server, nil)
	m.reply(&greetd.Success{})
}

func (m *Machine) failed(f *wire.Failed) {
	why := harmless(f.Sentence) // the worker's words, and the server's: never the message itself
	if f.Detail != "" {
		why += " (" + harmless(f.Detail) + ")"
	}
	m.do(Report{Login: m.login, Bad: !f.Refused, Text: "the login failed", Detail: why})
	m.fail(f.Refused, harmless(f.Sentence))
}

// fail ends a login that came to nothing. From switching on the greeter is gone.
func (m *Machine) fail(refused bool, sentence string) {
	m.stumbled()
	if m.state == switching || m.state == running {
		m.finish(sentence)
		return
	}
	if m.owed {
		kind := greetd.OtherError
		if refused {
			kind = greetd.AuthError
		}
		m.reply(&greetd.Error{Type: kind, Description: sentence})
	} else {
		m.lost = sentence
		m.notice = sentence
	}
	m.abort("")
}

func (m *Machine) started() {
	if !m.inSession() || m.begun {
		m.violation("started out of turn")
		return
	}
	m.begun = true
	m.report(false, "the session has started", nil)
}

func (m *Machine) ended(e *wire.Ended) {
	if !m.inSession() {
		m.violation("ended out of turn")
		return
	}
	m.do(Report{Login: m.login, Bad: e.Sentence != "", Text: "the session has ended", Detail: harmless(e.Detail)})
	if e.Sentence == "" {
		m.stumbles = 0
	} else {
		m.stumbled()
	}
	m.orderly = true
	if m.logout != "" {
		m.leave = &SwitchOff{Login: m.login, Action: m.logout}
	}
	m.finish(harmless(e.Sentence))
}

// finish ends a session; the next greeter says why unless it was a logout.
func (m *Machine) finish(sentence string) {
	m.notice = sentence
	m.end()
}

// violation ends a worker that broke the protocol.
func (m *Machine) violation(what string) {
	m.do(Report{Login: m.login, Bad: true, Text: "the worker broke the protocol", Detail: what})
	m.fail(false, misbehaved)
}

// stoppedSentence says that a worker has ended unasked.
func stoppedSentence(err error, inSession bool) string {
	what := "stopped unexpectedly"
	if errors.Is(err, pulse.ErrHung) {
		what = "stopped answering and was ended"
	}
	if inSession {
		return "Your session ended because its login program " + what + ". The log says more."
	}
	return "The login program " + what + ". Try again; the log says more."
}

func (m *Machine) workerGone(id LoginID, err error) {
	if id != m.login {
		delete(m.dying, id)
		return
	}
	m.report(true, "the worker ended unasked", err)
	m.fail(false, stoppedSentence(err, m.state == running))
	delete(m.dying, id) // there is nothing left to wait for
}
