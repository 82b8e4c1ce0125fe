package login

import (
	"slices"
	"strings"

	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// maxCPUs and maxRTT bound what a server can be, for those that reckon with it.
const (
	maxCPUs = 1 << 12
	maxRTT  = 60_000_000 // a minute, in microseconds

	maxFound  = 100 // servers that a probe may add
	maxServer = 262 // characters of one's name, with its port
)

// watched takes what the probe tells of the servers, nil where it tells nothing.
// It may be in a hostile server's hands: what it says counts only for servers
// that are on the list, and leaves none of them out; more may come after these where
// the administrator allows it.
func (m *Machine) watched(list []wire.Server) {
	m.known, m.found = nil, nil
	for _, s := range list {
		named := func(k wire.Server) bool { return k.Name == s.Name }
		if slices.ContainsFunc(m.known, named) || len(m.known) == wire.MaxServers {
			continue
		}
		switch {
		case slices.Contains(m.config.Servers, s.Name):
		case m.config.Discover && isServer(s.Name) && len(m.found) < maxFound:
			m.found = append(m.found, s.Name)
		default:
			continue
		}
		m.known = append(m.known, bounded(s))
	}
}

// isServer tells whether a name that no administrator wrote can be host or host:port. Whether
// it is one that the client trusts is for the worker to see, which has its key.
func isServer(name string) bool {
	strange := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:[]", r))
	}
	return name != "" && len(name) <= maxServer && name[0] != '-' && !strings.ContainsFunc(name, strange)
}

// foundOf returns those of servers that no administrator named.
func (m *Machine) foundOf(servers []string) (found []string) {
	for _, s := range servers {
		if slices.Contains(m.found, s) {
			found = append(found, s)
		}
	}
	return found
}

// servers are those that there are to choose from.
func (m *Machine) servers() []string { return slices.Concat(m.config.Servers, m.found) }

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
	all := m.servers()
	if slices.Contains(all, chosen) {
		return []string{chosen}
	}
	return all
}
