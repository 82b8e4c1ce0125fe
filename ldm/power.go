package ldm

import (
	"context"
	"time"

	"goldm/ldm/login"
	"goldm/ldm/power"
)

// switchOffLimit is how long logind may take to answer.
const switchOffLimit = 10 * time.Second

// switchOff ends the machine, or starts it anew, as a session has asked for.
// Until that comes, and where it does not, the seat goes on.
func (s *Seat) switchOff(a login.SwitchOff) {
	s.Log.Info("the session wanted this at its end", "action", a.Action)
	s.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), switchOffLimit)
		defer cancel()
		if err := power.SwitchOff(ctx, a.Action); err != nil {
			s.Log.Error("this client stays on", "cause", err)
		}
	})
}
