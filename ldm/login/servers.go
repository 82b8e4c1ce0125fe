package login

import (
	"slices"

	"goldm/ldm/wire"
)

// watched takes what the probe tells of the servers, nil where it tells nothing.
// It may be in a hostile server's hands: what it says counts only for servers
// that are on the list, and leaves none of them out.
func (m *Machine) watched(list []wire.Server) {
	m.preferred, m.states = nil, make(map[string]string)
	for _, s := range list {
		if !slices.Contains(m.config.Servers, s.Name) || slices.Contains(m.preferred, s.Name) {
			continue
		}
		m.preferred = append(m.preferred, s.Name)
		switch s.State {
		case wire.Up, wire.Busy, wire.Down:
			m.states[s.Name] = s.State
		}
	}
	for _, name := range m.config.Servers {
		if !slices.Contains(m.preferred, name) {
			m.preferred = append(m.preferred, name)
		}
	}
}

// order returns the servers to try: the chosen one, or all, the best first, where
// the choice is not among them.
func (m *Machine) order(chosen string) []string {
	if slices.Contains(m.config.Servers, chosen) {
		return []string{chosen}
	}
	if m.preferred == nil {
		return m.config.Servers
	}
	return m.preferred
}
