package ldm

import (
	"time"

	"goldm/ldm/login"
	"goldm/ldm/status"
)

// tellStatus writes down what `ldm status` prints, where that has changed.
func (s *Seat) tellStatus() {
	now := s.machine.Status()
	display := ""
	if s.x != nil {
		display = s.x.Display
	}
	if now == s.told.status && display == s.told.display && !s.told.since.IsZero() {
		return
	}
	if now != s.told.status || s.told.since.IsZero() {
		s.told.since = time.Now()
	}
	s.told.status, s.told.display = now, display
	err := status.Write(s.dir, status.Status{
		Seat: s.Name, State: now.State, User: now.User, Server: now.Server, Since: s.told.since,
		Display: display, Problems: s.problems(),
	})
	if err != nil {
		s.Log.Error("ldm status does not know of a change", "cause", err)
	}
}

// told is what was last written down.
type told struct {
	status  login.Status
	display string
	since   time.Time // of status
}

// problems are the sentences about what this client lacks as long as ldm runs.
func (s *Seat) problems() []string {
	problems := s.cgroups.Problems()
	if s.xUser().UID == 0 {
		problems = append(problems, "The X server runs as root.")
	}
	for _, p := range s.Settings.Problems {
		problems = append(problems, "Configuration: "+p.String())
	}
	return problems
}
