package login

// Status is what a seat is about, for people.
type Status struct {
	State  string // starting, idle, asking, ready, leaving, switching, running or ending
	User   string // who logs in or has a session, as typed; empty for nobody
	Server string // that has authenticated the user; empty before
}

// Status returns the seat's status.
func (m *Machine) Status() Status {
	s := Status{State: m.state.String()}
	if m.login == 0 {
		return s
	}
	s.User = m.user
	if m.state == ready || m.state == leaving || m.state == switching || m.state == running {
		s.Server = m.server
	}
	return s
}
