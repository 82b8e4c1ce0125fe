package greeter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"goldm/internal/text"
	"goldm/ldm/greetd"
)

// seat is what the daemon offers here.
type seat struct {
	known   bool // it has been described
	title   string
	servers []string
	states  map[string]string // of those servers that were asked
	chosen  string            // the one of servers that the person wants; empty for any
	notices []string
	guest   bool
}

// describe asks for the seat, unless the daemon is busy or could not say.
func (m *Model) describe() {
	if m.line.ready && !m.line.plain {
		m.line.ready, m.line.describing = false, true
		m.do(Send{&greetd.Describe{}})
	}
}

// described takes the answer. A daemon that does not know the question answers with
// an error, and goes on.
func (m *Model) described(r greetd.Response) {
	switch r := r.(type) {
	case *greetd.Seat:
		m.line.ready, m.line.describing = true, false
		m.seat.set(r)
		m.offered(r.Automatic)
	case *greetd.Error:
		m.line.ready, m.line.describing = true, false
		m.line.plain = !m.seat.known
	case *greetd.Progress:
	default:
		m.lost(fmt.Errorf("describe the seat: answered by %T", r))
	}
	m.flush()
}

func (s *seat) set(r *greetd.Seat) {
	s.known = true
	s.title = cmp.Or(text.Line(r.Hostname, maxLine), s.title)
	s.servers, s.states = r.Servers, r.States
	if !slices.Contains(s.servers, s.chosen) {
		s.chosen = ""
	}
	s.notices = short(r.Notices)
	s.guest = r.Guest
}

// choice says whether there is more than one server to choose from.
func (s *seat) choice() bool { return len(s.servers) > 1 }

// serverTurned goes from any server to the first, to the next … and back to any.
func (m *Model) serverTurned() {
	if m.state != naming || !m.seat.choice() {
		return
	}
	all := append([]string{""}, m.seat.servers...)
	m.seat.chosen = all[(slices.Index(all, m.seat.chosen)+1)%len(all)]
}

// where says where a login goes.
func (s *seat) where() string {
	if s.chosen != "" {
		return text.Line(s.condition(s.chosen), maxLine)
	}
	var all []string
	for _, server := range s.servers {
		all = append(all, s.condition(server))
	}
	list := strings.Join(all, " · ")
	if s.choice() {
		list = "Any server: " + list
	}
	return text.Line(list, maxLine)
}

// condition adds to a server's name what is known of its state.
func (s *seat) condition(server string) string {
	switch s.states[server] {
	case greetd.Up:
		return server + " — up"
	case greetd.Busy:
		return server + " — busy"
	case greetd.Down:
		return server + " — does not answer"
	case greetd.Drained:
		return server + " — takes no new logins"
	}
	return server
}

// short bounds the notices of a seat and says how many it left out.
func short(notices []string) []string {
	var out []string
	for i, n := range notices {
		if i == maxNotices {
			return append(out, fmt.Sprintf("… and %d more in the log.", len(notices)-i))
		}
		out = append(out, text.Line(n, maxLine))
	}
	return out
}
