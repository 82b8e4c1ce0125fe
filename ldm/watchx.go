package ldm

import (
	"context"

	"goldm/ldm/xserver"
	"goldm/ldm/xwatch"
)

// watchX watches an X server until end is called. hung gets an error if the server hangs.
func (s *Seat) watchX(x *xserver.Server) (hung <-chan error, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	found, done := make(chan error, 1), make(chan struct{})
	s.tasks.Go(func() {
		defer close(done)
		err := xwatch.Watch(ctx, xwatch.Config{
			Socket: x.Socket(), Cookie: x.Cookie, PID: x.PID(),
			Limits: s.Pulse, Log: s.Log, Silent: s.screenSilent.Store,
		})
		if err != nil {
			s.Log.Error("the X server is killed", "cause", err)
			found <- err
		}
	})
	return found, func() {
		cancel()
		<-done
	}
}
