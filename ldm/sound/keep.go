package sound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"goldm/internal/supervise"
	"goldm/ldm/room"
)

const (
	stopGrace = 2 * time.Second

	steady      = 20 * time.Second // a daemon that ran this long had come up
	maxFailures = 5                // in a row, 0, 1, 2 and 4 s apart
)

var errEnded = errors.New("exit status 0")

// keep has the daemon running until ctx is done, or until it is plain that it
// cannot run. Then the socket goes: programs are better told that there is no
// sound than kept waiting.
func (s *Sound) keep(ctx context.Context) {
	log := s.config.Log
	for failures := 0; ; {
		begun := time.Now()
		err := s.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) >= steady {
			failures = 0
		}
		if failures++; failures >= maxFailures {
			log.Error("there is no sound for the rest of the session", "cause", err)
			s.listener.Close()
			return
		}
		pause := pause(failures)
		log.Warn("the sound daemon ended; starting it again", "after", pause, "cause", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// pause is how long to wait after so many failures in a row.
func pause(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	return time.Second << (failures - 2)
}

// run sees the daemon from its start to its end, which is that of the first of
// its processes: PipeWire's do not find each other again. Its folder is a new
// one, in which no socket of an earlier run misleads them.
func (s *Sound) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.runs++
	home := filepath.Join(s.config.Room.Runtime(), "sound-"+strconv.Itoa(s.runs))
	var processes sync.WaitGroup
	for _, p := range s.config.Daemon.processes {
		processes.Go(func() { cancel(fmt.Errorf("%s: %w", p.args[0], s.runProcess(ctx, p, home))) })
	}
	processes.Wait()
	return context.Cause(ctx)
}

// runProcess sees a process to its end, and says how that was.
func (s *Sound) runProcess(ctx context.Context, p process, home string) error {
	c := s.config
	file, done, err := c.Output(p.args[0])
	if err != nil {
		return err
	}
	defer done()
	command := room.Command{
		Name: p.args[0], Log: c.Log,
		Args: p.args, Env: slices.Concat(environment(home), c.Daemon.env(&c)),
		Groups: c.Groups, Network: p.network, Realtime: c.Realtime, Folder: home, Output: file,
	}
	if p.options != nil {
		command.Args = slices.Concat(p.args, p.options(&c))
	}
	for _, name := range p.after {
		command.After = append(command.After, filepath.Join(home, name))
	}
	process, err := s.start(command, p.serves)
	file.Close()
	if err != nil {
		return err
	}
	select {
	case <-process.Done():
		return cmp.Or(process.Err(), errEnded)
	case <-ctx.Done():
		process.Stop(stopGrace)
		return ctx.Err()
	}
}

// start starts a process, with the socket if it serves that.
func (s *Sound) start(c room.Command, serves bool) (*supervise.Process, error) {
	if serves {
		listener, err := s.listener.File()
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		c.Listener = listener
	}
	return s.config.Room.Start(c)
}

// environment keeps programs from looking for a D-Bus, or starting one: they do
// what is wanted here without, and through one they would reach the machine's
// other services.
func environment(home string) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + home, "XDG_RUNTIME_DIR=" + home,
		"DBUS_SESSION_BUS_ADDRESS=disabled:", "DBUS_SYSTEM_BUS_ADDRESS=disabled:",
	}
}
