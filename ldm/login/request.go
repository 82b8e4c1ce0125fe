package login

import (
	"cmp"
	"slices"

	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// request handles what a greeter sends. Every request gets exactly one response
// in the end, Progress aside.
func (m *Machine) request(c ConnID, r greetd.Request) {
	switch r := r.(type) {
	case *greetd.Describe:
		m.describe(c)
	case *greetd.CreateSession:
		m.create(c, r)
	case *greetd.AutomaticSession:
		m.createAutomatic(c, r)
	case *greetd.PostResponse:
		m.answer(c, r.Response)
	case *greetd.StartSession:
		m.begin(c, r)
	case *greetd.CancelSession:
		m.cancel(c)
	}
}

func (m *Machine) describe(c ConnID) {
	notices := m.config.Notices
	if m.notice != "" {
		notices = append([]string{m.notice}, notices...)
	}
	m.do(Reply{Conn: c, Response: &greetd.Seat{
		Hostname: m.config.Hostname,
		Servers:  m.servers(),
		States:   m.states(),
		Notices:  notices,

		Guest:     m.config.Guest != nil,
		Automatic: m.automatic(),
	}})
}

func (m *Machine) create(c ConnID, r *greetd.CreateSession) {
	if !m.admit(c) {
		return
	}
	sentence := badUser(r.Username)
	if sentence == "" && len(m.config.Users) > 0 && !slices.Contains(m.config.Users, r.Username) {
		sentence = "This client is kept for other users."
	}
	if sentence != "" {
		m.do(Reply{Conn: c, Response: &greetd.Error{Type: greetd.AuthError, Description: sentence}})
		return
	}
	m.enter(c, r.Progress, nil, StartWorker{User: r.Username, Servers: m.candidates(r.Server)})
}

// admit reports whether a login can begin, and refuses it where not.
func (m *Machine) admit(c ConnID) bool {
	m.greeter.failures, m.x.failures = 0, 0
	switch {
	case m.state != idle && m.state != asking && m.state != ready:
		m.refuse(c, "This seat is busy. Wait a moment and try again.")
	case m.login != 0 && m.owner == c:
		m.refuse(c, "A login is already under way.")
	case m.login != 0 && m.owner > c:
		m.refuse(c, "Another login took its place.") // heard late: a greeter that has reconnected
	case len(m.dying) >= maxDying:
		m.refuse(c, "Earlier tries are still being ended. Wait a moment and try again.")
	default:
		return true
	}
	return false
}

// enter begins a login: a person's, or that of an account.
func (m *Machine) enter(c ConnID, progress bool, account *Account, start StartWorker) {
	if m.login != 0 { // a greeter that reconnects is not kept waiting by what it left
		m.abort("Another login took its place.")
	}
	m.last++
	m.state, m.owner, m.login = asking, c, m.last
	m.owed, m.progress, m.begun, m.lost, m.notice = true, progress, false, "", ""
	m.account, m.answered, m.texts = account, false, 0
	m.user, start.Login, start.Known = start.User, m.login, m.known
	if account == nil || len(account.Servers) == 0 { // else the administrator names them
		start.Found = m.foundOf(start.Servers)
	}
	start.OneSession = m.config.OneSession
	if account != nil && start.OneSession == wire.AskOthers {
		start.OneSession = wire.EndOthers // nobody is there to be asked
	}
	m.do(start)
}

func (m *Machine) answer(c ConnID, response *string) {
	if m.owner != c || m.asked == "" {
		m.refuse(c, cmp.Or(m.lost, "No question is open."))
		return
	}
	if response != nil && len(*response) > maxAnswer {
		m.refuse(c, "That answer is too long.")
		return
	}
	if response == nil && (m.asked == wire.Visible || m.asked == wire.Secret) {
		response = new(string)
	}
	m.asked, m.owed = "", true
	m.do(Tell{Login: m.login, Message: &wire.Answer{Text: response}})
}

func (m *Machine) begin(c ConnID, r *greetd.StartSession) {
	if m.state != ready || m.owner != c {
		m.refuse(c, cmp.Or(m.lost, "Nobody is logged in."))
		return
	}
	chosen, ok := session(r.Cmd)
	if !ok {
		m.report(true, "the greeter's choice of a session makes no sense; using the default", nil)
	}
	m.start = wire.Start{
		Session:  cmp.Or(m.config.ForceSession, chosen, m.config.Session),
		Language: cmp.Or(m.config.ForceLanguage, language(r.Env), m.config.Language),
		Apps:     m.config.Apps,
	}
	m.state = leaving
	m.reply(&greetd.Success{})
	m.prepare()
}

// cancel answers a request that is still open first, so that responses keep the
// order of requests.
func (m *Machine) cancel(c ConnID) {
	if m.owner == c && m.state == leaving {
		m.refuse(c, "The session is starting already.")
		return
	}
	if m.owner == c && (m.state == asking || m.state == ready) {
		m.abort("The login was cancelled.")
	}
	m.do(Reply{Conn: c, Response: &greetd.Success{}})
}

// connGone cancels the login of a connection that ended. One that ended after
// start_session is a greeter on its way out, or one that the seat did not
// start: then the seat's own makes room.
func (m *Machine) connGone(c ConnID) {
	if m.owner != c {
		return
	}
	m.owed = false
	switch m.state {
	case asking, ready:
		m.abort("")
	case leaving:
		m.stop(&m.greeter, StopGreeter{})
	}
}
