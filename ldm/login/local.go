package login

import "goldm/ldm/wire"

// prepare has the client made ready for the login's session while the greeter
// leaves the screen.
func (m *Machine) prepare() {
	m.locals[m.login], m.prepared, m.told = true, false, false
	m.do(StartLocal{Login: m.login, User: m.user})
}

func (m *Machine) localUp(id LoginID, sound *wire.Sound) {
	if id != m.login {
		return // told to stop
	}
	m.prepared, m.start.Sound = true, sound
	m.launch()
}

// launch starts the session once nothing is in its way.
func (m *Machine) launch() {
	if m.state == running && m.prepared && !m.told {
		m.told = true
		m.do(Tell{Login: m.login, Message: &m.start})
	}
}

// dismiss ends what belongs to the login: its worker and what was made ready.
func (m *Machine) dismiss() {
	m.dying[m.login] = true
	m.do(StopWorker{Login: m.login})
	if m.locals[m.login] {
		m.do(StopLocal{Login: m.login})
	}
}
