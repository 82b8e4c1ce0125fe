package login

import (
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// Account is a user name and a password that the configuration holds.
type Account struct {
	User, Password string
	Servers        []string // tried in order; nil for those of Config
}

const (
	firstRetry = 10 // seconds until an automatic login is tried again
	maxRetry   = 300

	// maxTold bounds the texts that are logged in the place of a person.
	maxTold = 50
)

// automatic says what a greeter may begin by itself, and when.
func (m *Machine) automatic() *greetd.Automatic {
	after := max(m.config.Timeout, m.retry())
	switch {
	case m.config.Automatic != nil:
		return &greetd.Automatic{After: after}
	case m.config.Guest != nil && m.config.Timeout > 0:
		return &greetd.Automatic{After: after, Guest: true}
	}
	return nil
}

// retry is the pause after automatic logins that came to nothing, in seconds:
// 10, 20, 40 … up to 300.
func (m *Machine) retry() int {
	if m.stumbles == 0 {
		return 0
	}
	return min(firstRetry<<min(m.stumbles-1, 10), maxRetry)
}

// stumbled counts an automatic login or its session that did not end well.
func (m *Machine) stumbled() {
	if m.account != nil {
		m.stumbles++
	}
}

// createAutomatic begins a login that asks nobody.
func (m *Machine) createAutomatic(c ConnID, r *greetd.AutomaticSession) {
	account := m.config.Automatic
	if r.Guest {
		account = m.config.Guest
	}
	if account == nil {
		m.refuse(c, "This client has no such login. Type your user name.")
		return
	}
	if !m.admit(c) {
		return
	}
	servers := account.Servers
	if len(servers) == 0 {
		servers = m.candidates("")
	}
	m.enter(c, r.Progress, account, StartWorker{User: account.User, Servers: servers})
}

// answerFor answers a question in place of a person: the password, once.
func (m *Machine) answerFor(q *wire.Question) {
	switch {
	case (q.Kind == wire.Info || q.Kind == wire.Trouble) && m.texts < maxTold:
		m.texts++
		m.do(Report{Login: m.login, Text: "the server says", Detail: harmless(q.Text)})
		m.do(Tell{Login: m.login, Message: &wire.Answer{}})
	case q.Kind == wire.Secret && !m.answered:
		m.answered = true
		m.do(Tell{Login: m.login, Message: &wire.Answer{Text: &m.account.Password}})
	default:
		m.fail(false, "The server asks more than a login without a person can answer. It asks: "+harmless(q.Text))
	}
}
