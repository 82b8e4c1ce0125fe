package login

// InSession reports whether a session has the screen, or is about to.
func (m *Machine) InSession() bool {
	return m.state == leaving || m.state == switching || m.state == running
}

// abortKey ends the session. At the login screen, and while a session ends already, the key does nothing.
func (m *Machine) abortKey() {
	if !m.InSession() || m.login == 0 {
		return
	}
	m.report(false, "the session is ended by the abort key", nil)
	m.stumbled()
	m.finish("You ended the session with Ctrl+Alt+Backspace.")
}
