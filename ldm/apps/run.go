package apps

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"goldm/internal/failure"
	"goldm/internal/supervise"
	"goldm/internal/text"
	"goldm/ldm/room"
	"goldm/ldm/wire"
)

// run sees a program from the request to its end and returns the last answer.
func (a *Apps) run(run *wire.Run, report func(*wire.Ran)) *wire.Ran {
	path, refused := a.allow(run)
	if refused != nil {
		name := ""
		if len(run.Args) > 0 {
			name = text.Line(run.Args[0], 100)
		}
		a.log.Warn("a program was refused", "request", run.ID, "program", name, "state", refused.state, "reason", refused.reason)
		return &wire.Ran{State: refused.state, Reason: refused.reason}
	}
	if !a.take() {
		a.log.Warn("a program is one too many", "request", run.ID, "program", path)
		return crowded()
	}
	defer func() { <-a.slots }()
	if err := a.havePlace(); err != nil {
		a.log.Error("no program can run on this client", "request", run.ID, "program", path, "cause", err)
		if f, ok := errors.AsType[*failure.Failure](err); ok {
			return faulty(f.Sentence)
		}
		return faulty("This client has no room for programs. The client's log says why.")
	}
	home, err := a.haveHome()
	if err != nil {
		a.log.Warn("a program has no home", "request", run.ID, "program", path, "cause", err)
		return faulty(failure.Of(err).Sentence)
	}
	a.meet.Do(func() { a.furnishBus(home) })
	process, err := a.launch(path, run, home)
	if err != nil {
		a.log.Warn("a program could not be started", "request", run.ID, "program", path, "cause", err)
		return faulty("The program " + shown(filepath.Base(path)) + " could not be started. The client's log says why.")
	}
	report(&wire.Ran{ID: run.ID, State: wire.Running, PID: process.Pid()})
	return &wire.Ran{State: wire.Exited, Status: status(process.Err())}
}

// take waits for its turn, which comes at once unless many programs run.
func (a *Apps) take() bool {
	timer := time.NewTimer(a.patience)
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-a.ctx.Done():
	}
	return false
}

func crowded() *wire.Ran {
	return faulty("Too many programs run on this client. End some of them and try again.")
}

func faulty(reason string) *wire.Ran { return &wire.Ran{State: wire.Faulty, Reason: reason} }

// allow returns the path of the program that is asked for.
func (a *Apps) allow(run *wire.Run) (string, *refusal) {
	if a.config.Policy == nil {
		return "", denied("Programs of this client are not for sessions on a server. Ask the administrator to set LOCAL_APPS.")
	}
	if refused := check(run); refused != nil {
		return "", refused
	}
	return a.config.Policy.find(run.Args[0])
}

func (a *Apps) launch(path string, run *wire.Run, home Home) (*supervise.Process, error) {
	ctx, cancel := context.WithTimeout(a.ctx, launchLimit)
	defer cancel()
	env := slices.Concat(a.place.env, home.Env())
	if id := run.Startup; id != "" && (len(id) > maxStartup || strings.ContainsRune(id, 0)) {
		a.log.Warn("a program starts without its startup notification, whose id makes no sense", "request", run.ID, "bytes", len(id))
	} else if id != "" {
		env = append(env, "DESKTOP_STARTUP_ID="+id)
	}
	dirs := []string{home.Path()}
	if filepath.IsAbs(run.Dir) && !strings.ContainsRune(run.Dir, 0) {
		dirs = []string{run.Dir, home.Path()}
	}
	return a.place.Room.Launch(ctx, room.Command{
		Name: filepath.Base(path), Log: a.log.With("request", run.ID),
		Args: append([]string{path}, run.Args[1:]...), Env: env,
		Groups: a.place.Groups, Network: true, Leaves: true, Bounded: true, Umask: umask, Dirs: dirs, Output: a.config.Output,
	})
}

// status is an end as a shell has it.
func status(err error) int {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0
	case !ok:
		return 1
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return exit.ExitCode()
}
