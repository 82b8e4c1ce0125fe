package login

import (
	"fmt"
	"slices"

	"goldm/ldm/wire"
)

// prepare has the client made ready for the login's session while the greeter
// leaves the screen.
func (m *Machine) prepare() {
	m.locals[m.login], m.told, m.shown = true, false, false
	m.logout, m.orderly = "", false
	m.do(StartLocal{Login: m.login, User: m.user, Language: m.start.Language})
}

func (m *Machine) localUp(id LoginID, sound *wire.Sound) {
	if id != m.login {
		return // told to stop
	}
	m.told, m.start.Sound = true, sound
	m.do(Tell{Login: m.login, Message: &m.start})
	m.show()
}

// show hands over the session's X server once it is up and the worker prepares the session.
func (m *Machine) show() {
	if m.state == running && m.told {
		m.shown = true
		m.do(ShowLocal{Login: m.login, Screen: m.screen})
		m.do(Tell{Login: m.login, Message: &m.screen})
	}
}

// dismiss ends what belongs to the login: its worker and what was made ready.
func (m *Machine) dismiss() {
	m.dying[m.login] = true
	if !m.locals[m.login] {
		m.do(StopWorker{Login: m.login})
		return
	}
	// A session that has ended in order has programs on the client that save what
	// they have: to a home that needs the worker's connection.
	if !m.orderly {
		m.do(StopWorker{Login: m.login})
	}
	m.do(StopLocal{Login: m.login})
}

// localGone ends the worker that has waited for the client's programs.
func (m *Machine) localGone(id LoginID) {
	delete(m.locals, id)
	if m.dying[id] {
		m.do(StopWorker{Login: id}) // at the latest
	}
}

// ignore passes over a message that does not fit: the session may have been
// ended while it was on its way.
func (m *Machine) ignore(what string) {
	m.do(Report{Login: m.login, Bad: true, Text: "the worker was not heeded", Detail: what})
}

// inSession reports whether the worker has a screen for the session.
func (m *Machine) inSession() bool { return m.state == running && m.shown }

// run has a program run for the session. Whether it may is not decided here.
func (m *Machine) run(r *wire.Run) {
	if !m.inSession() {
		m.ignore("a program out of turn")
		return
	}
	m.do(RunProgram{Login: m.login, Run: r})
}

// atLogout keeps in mind what the session wants at its end; the last word counts,
// an empty one takes it back.
func (m *Machine) atLogout(a *wire.LogoutAction) {
	switch {
	case !m.inSession():
		m.ignore("a logout's action out of turn")
	case a.Action != "" && !slices.Contains(m.config.LogoutActions, a.Action):
		m.ignore(fmt.Sprintf("the logout's action %.20q is not one of LDM_LOGOUT_ACTION", a.Action))
	default:
		m.logout = a.Action
	}
}
