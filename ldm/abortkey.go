package ldm

import (
	"cmp"
	"context"

	"goldm/ldm/abortkey"
	"goldm/ldm/login"
)

// watchKeys has the keyboards read for the abort key as long as a session has the screen, and never at the
// login screen.
func (s *Seat) watchKeys() {
	switch wanted := s.machine.InSession() && s.Settings.AbortKey; {
	case wanted && s.stopKeys == nil:
		ctx, cancel := context.WithCancel(context.Background())
		s.stopKeys = cancel
		s.tasks.Go(func() {
			abortkey.Watch(ctx, cmp.Or(s.Keyboards, abortkey.Folder), s.Log, func() { s.post(login.AbortKey{}, nil) })
		})
	case !wanted && s.stopKeys != nil:
		s.stopKeys()
		s.stopKeys = nil
	}
}
