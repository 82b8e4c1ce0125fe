package login

import (
	"slices"

	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// maxCPUs and maxRTT bound what a server can be, for those that reckon with it.
const (
	maxCPUs = 1 << 12
	maxRTT  = 60_000_000 // a minute, in microseconds
)

// watched takes what the probe tells of the servers, nil where it tells nothing.
// It may be in a hostile server's hands: what it says counts only for servers
// that are on the list, and leaves none of them out.
func (m *Machine) watched(list []wire.Server) {
	m.known = nil
	for _, s := range list {
		named := func(k wire.Server) bool { return k.Name == s.Name }
		if slices.Contains(m.config.Servers, s.Name) && !slices.ContainsFunc(m.known, named) && len(m.known) < wire.MaxServers {
			m.known = append(m.known, bounded(s))
		}
	}
}

// bounded makes a server one that there can be.
func bounded(s wire.Server) wire.Server {
	switch s.State {
	case wire.Up, wire.Busy, wire.Down:
	default:
		s.State = wire.Unknown
	}
	s.Rating = min(max(s.Rating, 0), 100)
	s.CPUs = min(max(s.CPUs, 0), maxCPUs)
	s.RTT = min(max(s.RTT, 0), maxRTT)
	return s
}

// states says of each server what the greeter shows; of those that were not asked yet
// nothing.
func (m *Machine) states() map[string]string {
	states := make(map[string]string)
	for _, s := range m.known {
		switch {
		case s.State == wire.Down:
			states[s.Name] = greetd.Down
		case s.Drained:
			states[s.Name] = greetd.Drained
		case s.State == wire.Busy || s.Full():
			states[s.Name] = greetd.Busy
		case s.State == wire.Up:
			states[s.Name] = greetd.Up
		}
	}
	return states
}

// candidates returns the servers to try: the chosen one, or all where the choice is not
// among them. In which order the worker decides, by what is known of them.
func (m *Machine) candidates(chosen string) []string {
	if slices.Contains(m.config.Servers, chosen) {
		return []string{chosen}
	}
	return m.config.Servers
}
