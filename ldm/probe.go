package ldm

import (
	"context"
	"errors"
	"time"

	"goldm/internal/pulse"
	"goldm/ldm/fence"
	"goldm/ldm/login"
	"goldm/ldm/wire"
)

// watchServers has a probe running as long as somebody may log in.
func (s *Seat) watchServers() {
	switch wanted := s.machine.AtLogin() && len(s.Settings.Servers) > 0; {
	case wanted && s.stopProbe == nil:
		ctx, cancel := context.WithCancel(context.Background())
		s.stopProbe = cancel
		s.tasks.Go(func() { s.keepProbe(ctx) })
	case !wanted && s.stopProbe != nil:
		s.stopProbe()
		s.stopProbe = nil
	}
}

// keepProbe starts a probe again when it ends, after 1 s, 2 s, 4 s … up to a
// minute. Meanwhile nothing is known of the servers.
func (s *Seat) keepProbe(ctx context.Context) {
	for pause := time.Duration(0); sleep(ctx, pause) == nil; pause = min(max(2*pause, time.Second), time.Minute) {
		err := s.runProbe(ctx)
		if ctx.Err() != nil {
			return
		}
		s.Log.Warn("the probe ended", "cause", err)
		s.post(login.Servers{}, nil)
	}
}

// runProbe sees a probe from its start to its end.
func (s *Seat) runProbe(ctx context.Context) error {
	conn, theirs, err := wire.ProbePair()
	if err != nil {
		return err
	}
	defer conn.Close()
	plan := fence.Plan{Duty: fence.Probe, User: s.Users.Probe}
	if s.Settings.Discover {
		plan.Read = s.Settings.KnownHosts
	}
	process, out, err := s.launch(plan, s.Log, theirs)
	if err != nil {
		return err
	}
	defer out.close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	watch := &wire.Watch{Servers: s.Settings.Servers}
	if s.Settings.Discover {
		watch.Discover, watch.KnownHosts = true, s.Settings.KnownHosts
	}
	if err = conn.Send(watch); err != nil {
		conn.Close()
		return errors.Join(err, stopChild(process, nil))
	}
	var asker pulse.Asker
	endPings := s.ping(conn, &asker)
	for err == nil {
		err = s.receiveServers(conn, &asker)
	}
	conn.Close()
	return errors.Join(err, because(stopChild(process, endPings()), out))
}

// receiveServers passes on what a probe tells.
func (s *Seat) receiveServers(conn *wire.Conn, asker *pulse.Asker) error {
	message, err := conn.Receive()
	if err != nil {
		return err
	}
	switch message := message.(type) {
	case *wire.Servers:
		s.post(login.Servers{List: message.List}, nil)
	case *wire.Pong:
		if !asker.Answer(message.ID) {
			return errors.New("it answers what it was not asked")
		}
	}
	return nil
}
