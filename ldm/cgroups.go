package ldm

import (
	"cmp"
	"errors"
	"fmt"

	"goldm/internal/cgroup"
)

// loginCgroup makes the cgroup of what a login's session has on this client.
func (s *Seat) loginCgroup(l *local) *cgroup.Login {
	id := fmt.Sprint("of-", cmp.Or(l.name, "nobody"))
	if l.worker != nil {
		id = l.worker.id
	}
	limits, err := cgroup.DefaultLimits()
	made, problem := s.cgroups.Login(id, limits)
	if err := errors.Join(err, problem); err != nil {
		l.log.Error("the login is not bounded as a whole", "cause", err)
	}
	return made
}

// closeCgroups ends what may be left of logins, once no child of ours is.
func (s *Seat) closeCgroups() {
	if err := s.cgroups.Close(); err != nil {
		s.Log.Error("something of a session is left on this client", "cause", err)
	}
}
