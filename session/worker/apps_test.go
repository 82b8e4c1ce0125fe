package worker_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11/xtest"
	"goldm/ldm/wire"
	"goldm/localapps"
	"goldm/session/internal/sshtest"
)

// appsSession is a session on a real X server.
type appsSession struct {
	*daemon
	x    *xtest.Server
	line string        // the desktop's command line
	quit chan struct{} // ends the desktop
}

func startApps(t *testing.T, with *wire.Start) *appsSession {
	t.Helper()
	s := &appsSession{x: xtest.Start(t), quit: make(chan struct{})}
	lines := make(chan string, 1)
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
		lines <- e.Line
		go io.Copy(io.Discard, e)
		<-s.quit
		e.Exit(0)
	}})
	s.daemon = start(t)
	s.screen = &wire.Screen{Display: s.x.Display, Cookie: s.x.Cookie}
	s.authenticate(login(t, server))
	s.begin(with)
	s.want(&wire.Started{})
	s.line = <-lines
	return s
}

// end ends the desktop; the worker says so last.
func (s *appsSession) end() {
	s.t.Helper()
	close(s.quit)
	s.want(&wire.Ended{})
	s.exits()
}

// ask asks as a program of the session does.
func (s *appsSession) ask(r localapps.Request) <-chan localapps.State {
	s.t.Helper()
	env := map[string]string{"DISPLAY": s.x.Display, "XAUTHORITY": s.x.Authority}
	asker, err := localapps.Dial(s.t.Context(), func(name string) string { return env[name] })
	if err != nil {
		s.t.Fatalf("%v; the log:\n%s", err, s.log)
	}
	s.t.Cleanup(asker.Close)
	answer := make(chan localapps.State, 1)
	go func() {
		state, err := asker.Ask(s.t.Context(), r, nil)
		if err != nil && !errors.Is(err, localapps.ErrNoAgent) && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
		answer <- state
	}()
	return answer
}

// run is the worker's next message, which is a Run.
func (s *appsSession) run() *wire.Run {
	s.t.Helper()
	run, ok := s.next().(*wire.Run)
	if !ok {
		s.t.Fatalf("no Run but %#v", run)
	}
	return run
}

func TestApps(t *testing.T) {
	s := startApps(t, &wire.Start{Apps: &wire.Apps{}})
	if !strings.Contains(s.line, "LTSP_LOCALAPPS_WINDOW=") {
		t.Errorf("no window in %s", s.line)
	}
	answer := s.ask(localapps.Request{Args: []string{"gedit", "a b"}, Dir: "/home/anna", Startup: "x_TIME1", Wait: true})
	first := s.run()
	if diff := cmp.Diff(&wire.Run{ID: first.ID, Args: []string{"gedit", "a b"}, Dir: "/home/anna", Startup: "x_TIME1"}, first); diff != "" {
		t.Error(diff)
	}
	s.send(&wire.Ran{ID: first.ID, State: wire.Running, PID: 7})

	other := s.ask(localapps.Request{Args: []string{"sudo"}})
	second := s.run()
	if second.ID == first.ID {
		t.Errorf("id %d twice", first.ID)
	}
	s.send(&wire.Ran{ID: second.ID, State: wire.Denied, Reason: "No."})
	if got := <-other; got != (localapps.State{Name: localapps.Denied, Reason: "No."}) {
		t.Errorf("denied: %+v", got)
	}
	s.send(&wire.Ran{ID: second.ID, State: wire.Exited}) // it was over
	s.send(&wire.Ran{ID: 4711, State: wire.Running})     // nobody's
	s.send(&wire.Ran{ID: first.ID, State: wire.Exited, Status: 3})
	if got := <-answer; got != (localapps.State{Name: localapps.Exited, Status: 3}) {
		t.Errorf("exited: %+v", got)
	}
	s.end()
}

// A session that may run nothing is told so; what it wants at its end counts.
func TestAppsOff(t *testing.T) {
	xtest.Need(t, "xprop")
	s := startApps(t, &wire.Start{})
	if strings.Contains(s.line, "LTSP_LOCALAPPS") {
		t.Errorf("a window in %s", s.line)
	}
	if got := <-s.ask(localapps.Request{Args: []string{"x"}}); got.Name != localapps.Denied {
		t.Errorf("%+v", got)
	}
	xprop := exec.Command("xprop", "-root", "-f", "LTSP_LOGOUT_ACTION", "8s", "-set", "LTSP_LOGOUT_ACTION", "HALT")
	xprop.Env = []string{"DISPLAY=" + s.x.Display, "XAUTHORITY=" + s.x.Authority}
	if out, err := xprop.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	close(s.quit)
	s.want(&wire.LogoutAction{Action: wire.Halt})
	s.want(&wire.Ended{})
	s.exits()
}

// The session ends while programs run and somebody waits.
func TestAppsAtTheEnd(t *testing.T) {
	s := startApps(t, &wire.Start{Apps: &wire.Apps{}})
	answer := s.ask(localapps.Request{Args: []string{"x"}, Wait: true})
	s.send(&wire.Ran{ID: s.run().ID, State: wire.Running})
	s.end()
	if got := <-answer; got.Name != "" {
		t.Errorf("%+v", got)
	}
}
