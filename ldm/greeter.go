package ldm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"goldm/internal/logs"
	"goldm/internal/pulse"
	"goldm/internal/supervise"
	"goldm/ldm/fence"
	"goldm/ldm/greetd"
	"goldm/ldm/login"
	"goldm/ldm/xserver"
)

// stopGrace is how long a greeter or a worker may take to end.
const stopGrace = 6 * time.Second

func (s *Seat) socket() string { return filepath.Join(s.dir, "greetd.sock") }

// startGreeter starts the greeter after a pause.
func (s *Seat) startGreeter(after time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopG = cancel
	x := s.x
	s.tasks.Go(func() {
		defer cancel()
		s.post(login.GreeterGone{Err: s.runGreeter(ctx, after, x)}, nil)
	})
}

// runGreeter sees a greeter from its start to its end.
func (s *Seat) runGreeter(ctx context.Context, after time.Duration, x *xserver.Server) error {
	if err := sleep(ctx, after); err != nil {
		return err
	}
	if x == nil {
		return errors.New("there is no X server")
	}
	auth, home := filepath.Join(s.dir, "greeter.auth"), filepath.Join(s.dir, "greeter")
	if err := errors.Join(makeHome(home, s.Users.Greeter), xserver.WriteAuth(auth, s.Users.Greeter, x.Cookie)); err != nil {
		return err
	}
	defer os.RemoveAll(home)
	defer os.Remove(auth)
	out, file, words, err := s.greeterOutput()
	if err != nil {
		return err
	}
	defer out.close()
	beats, theirs, err := newBeats()
	if err != nil {
		file.Close()
		return err
	}
	defer beats.close()
	// Its own helpers, such as a bus, end with it.
	process, err := s.start(s.greeterPlan(home, auth), supervise.Command{
		Name:  "greeter",
		Args:  s.Settings.Greeter,
		Dir:   "/",
		Files: []*os.File{theirs}, // descriptor 3
		Env: append([]string{
			"DISPLAY=" + x.Display, "XAUTHORITY=" + auth, "GREETD_SOCK=" + s.socket(),
			greetd.PulseVariable + "=3", "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_SEAT=" + s.Name,
			"PATH=" + os.Getenv("PATH"), "LANG=" + language(), "SHELL=/bin/sh",
		}, words...),
		Stdout: file, Stderr: file,
	})
	file.Close()
	if err != nil {
		return err
	}
	s.ready.Do(func() {
		daemon.SdNotify(false, daemon.SdNotifyReady) // sd_notify(3); without systemd it does nothing
	})
	select {
	case <-process.Done():
		return because(process.Err(), out)
	case <-beats.missing(s.screenSilent.Load):
		s.Log.Error("the greeter is killed", "cause", pulse.ErrHung)
		return stopChild(process, pulse.ErrHung)
	case <-ctx.Done():
		process.Stop(stopGrace)
		return ctx.Err()
	}
}

// greeterPlan confines our own greeter. A foreign one does what it likes, as its user.
func (s *Seat) greeterPlan(home, auth string) fence.Plan {
	if s.Settings.Greeter[0] != s.Greeter {
		return fence.Plan{Duty: fence.Plain, User: s.Users.Greeter}
	}
	return fence.Plan{Duty: fence.Greeter, User: s.Users.Greeter, Home: home, Read: []string{auth}}
}

// greeterOutput returns an output for the greeter, and the words of its environment
// that have our own greeter write frames. Another greeter would not.
func (s *Seat) greeterOutput() (out *output, file *os.File, words []string, err error) {
	log := s.Log.With("process", "greeter")
	if filepath.Base(s.Settings.Greeter[0]) != "ldm-greeter" {
		out, file, err = newOutput(log)
		return out, file, nil, err
	}
	out, file, err = newFramedOutput(log)
	return out, file, []string{logs.Child}, err
}

// language is the greeter's: this machine's own.
func language() string {
	if lang := os.Getenv("LANG"); lang != "" {
		return lang
	}
	return "C.UTF-8"
}
