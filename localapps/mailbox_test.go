package localapps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"goldm/internal/x11/display"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

// patience is for what has to happen; machines are slow.
const patience = time.Minute

// runnerFunc is a Runner.
type runnerFunc func(r Request, report func(State))

func (f runnerFunc) Run(_ context.Context, r Request, report func(State)) { f(r, report) }

// log is what a mailbox logs, to read meanwhile.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// stage is an X server with a mailbox.
type stage struct {
	*Mailbox
	t    *testing.T
	x    *xtest.Server
	log  *log
	done chan error // Serve's result
	stop context.CancelFunc
}

func displayOf(x *xtest.Server) *display.Display {
	return &display.Display{Number: x.Number, AuthName: xauth.MITMagicCookie, AuthData: x.Cookie}
}

// serve opens a mailbox on x and serves it.
func serve(t *testing.T, x *xtest.Server, runner Runner) *stage {
	t.Helper()
	s := &stage{t: t, x: x, log: new(log), done: make(chan error, 1)}
	m, err := Open(t.Context(), Config{
		Display: displayOf(x),
		Holder:  "the test",
		Legacy:  true,
		Log:     slog.New(slog.NewTextHandler(s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Mailbox = m
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.done <- m.Serve(ctx, runner) }()
	t.Cleanup(func() {
		stop()
		if err := <-s.done; err != nil && !t.Failed() {
			t.Errorf("Serve: %v", err)
		}
		m.Close()
		if t.Failed() {
			t.Logf("the log:\n%s", s.log)
		}
	})
	return s
}

func (s *stage) asker() *Asker {
	s.t.Helper()
	a, err := Connect(s.t.Context(), displayOf(s.x), s.Window())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(a.Close)
	return a
}

// ask asks and checks the last answer.
func (s *stage) ask(a *Asker, r Request, want State) {
	s.t.Helper()
	got, err := a.Ask(s.t.Context(), r, nil)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		s.t.Errorf("%q: %v; %s", r.Args, err, diff)
	}
}

// eventually waits for what has to become true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// count is what a mailbox has to remember.
type count struct{ askers, waiting, starting int }

func (s *stage) count() count {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	return count{len(s.jobs.askers), s.jobs.waiting, len(s.jobs.starting)}
}

// logged waits for a line in the log.
func (s *stage) logged(line string) {
	s.t.Helper()
	eventually(s.t, "log "+line, func() bool { return strings.Contains(s.log.String(), line) })
}

// xprop runs the real program.
func (s *stage) xprop(args ...string) string {
	s.t.Helper()
	xtest.Need(s.t, "xprop")
	cmd := exec.Command("xprop", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.x.Display, "XAUTHORITY="+s.x.Authority, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("xprop %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// program acts like a client that has three programs, of which one is forbidden.
var program = runnerFunc(func(r Request, report func(State)) {
	switch r.Args[0] {
	case "editor":
		report(State{Name: Accepted})
		report(State{Name: Started, PID: 7})
		go report(State{Name: Exited, Status: len(r.Args)})
	case "sudo":
		report(State{Name: Denied, Reason: "sudo is not\x1b[m allowed here."})
	case "broken":
		report(State{Name: Failed, Reason: "broken: exec format error"})
	default:
		report(State{Name: NotFound, Reason: r.Args[0] + " is not there."})
	}
})

func TestAnswers(t *testing.T) {
	s := serve(t, xtest.Start(t), program)
	a := s.asker()
	for range 2 { // one asker asks again
		s.ask(a, Request{Args: []string{"editor"}}, State{Name: Started, PID: 7})
		s.ask(a, Request{Args: []string{"editor", "a b", "ä\n\x1e"}, Wait: true}, State{Name: Exited, Status: 3})
		s.ask(a, Request{Args: []string{"sudo"}, Wait: true}, State{Name: Denied, Reason: "sudo is not allowed here."})
		s.ask(a, Request{Args: []string{"broken"}}, State{Name: Failed, Reason: "broken: exec format error"})
		s.ask(a, Request{Args: []string{"gimp"}}, State{Name: NotFound, Reason: "gimp is not there."})
	}
	var heard []string
	last, err := a.Ask(t.Context(), Request{Args: []string{"editor"}, Wait: true}, func(s State) { heard = append(heard, s.Name) })
	if err != nil || last.Name != Exited || !slices.Equal(heard, []string{Accepted, Started}) {
		t.Errorf("%+v, %v; heard %q", last, err, heard)
	}
	if n := s.count(); n.askers > 0 || n.waiting > 0 {
		t.Errorf("after all %+v", n)
	}
}

func TestRequestArrives(t *testing.T) {
	got := make(chan Request, 1)
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) {
		got <- r
		report(State{Name: Started})
	}))
	want := Request{Args: []string{"gedit", "a b", ""}, Dir: "/home/änna", Startup: "panel_TIME7", Wait: false}
	a := s.asker()
	s.ask(a, want, State{Name: Started})
	first := <-got
	if diff := cmp.Diff(want, first, cmpopts.IgnoreFields(Request{}, "ID")); diff != "" {
		t.Error(diff)
	}
	s.ask(a, Request{Args: want.Args, Dir: "home", Startup: "a\nb"}, State{Name: Started})
	if second := <-got; second.ID == first.ID || second.Dir != "" || second.Startup != "" {
		t.Errorf("after %+v %+v", first, second)
	}
}

func TestDial(t *testing.T) {
	x, other := xtest.Start(t), xtest.Start(t)
	s := serve(t, x, program)
	own := fmt.Sprintf("%s.0 %#x", x.Display, s.Window())
	for name, tt := range map[string]struct {
		variable, display string
		found             bool
	}{
		"the selection":                    {"", x.Display, true},
		"the variable":                     {own, "", true},
		"a nested server":                  {own, other.Display, true},
		"a window that is gone":            {x.Display + " 0x12345", "", true},
		"a window that is none of ours":    {fmt.Sprintf("%s %#x", x.Display, s.conn.Root), "", true},
		"a display that is gone":           {":4711 0x12345", x.Display, true},
		"rubbish":                          {"rubbish", x.Display, true},
		"nothing":                          {"", "", false},
		"another display":                  {"", other.Display, false},
		"another display, by the variable": {other.Display + " 0x12345", other.Display, false},
		"no display":                       {"", ":4711", false},
	} {
		authority := x.Authority
		if tt.display == other.Display && !tt.found {
			authority = other.Authority
		}
		env := map[string]string{Variable: tt.variable, "DISPLAY": tt.display, "XAUTHORITY": authority}
		a, err := Dial(t.Context(), func(name string) string { return env[name] })
		switch {
		case (err == nil) != tt.found, err != nil && !errors.Is(err, ErrNoAgent):
			t.Errorf("%s: %v", name, err)
		case err == nil:
			s.ask(a, Request{Args: []string{"editor"}}, State{Name: Started, PID: 7})
			a.Close()
		}
	}
}

func TestSecondMailbox(t *testing.T) {
	x := xtest.Start(t)
	first := serve(t, x, program)
	second, err := Open(t.Context(), Config{Display: displayOf(x), Log: slog.New(slog.DiscardHandler)})
	if taken, ok := errors.AsType[*TakenError](err); !ok || taken.Holder != "the test" {
		t.Fatalf("%v, %v", second, err)
	}
	first.ask(first.asker(), Request{Args: []string{"editor"}}, State{Name: Started, PID: 7})
	first.Close()
	if err := <-first.done; err == nil {
		t.Error("Serve has no error after Close")
	}
	first.done <- nil
	serve(t, x, program) // there is room again
}

// Of many that try at once one gets the display.
func TestManyMailboxes(t *testing.T) {
	x := xtest.Start(t)
	results := make(chan *Mailbox, 20)
	for range cap(results) {
		go func() {
			m, err := Open(t.Context(), Config{Display: displayOf(x), Log: slog.New(slog.DiscardHandler)})
			if taken := (*TakenError)(nil); err != nil && !errors.As(err, &taken) {
				t.Error(err)
			}
			results <- m
		}()
	}
	open := 0
	for range cap(results) {
		if m := <-results; m != nil {
			open++
			defer m.Close()
		}
	}
	if open != 1 {
		t.Errorf("%d are open", open)
	}
}

func TestMailboxGoes(t *testing.T) {
	x := xtest.Start(t)
	begun := make(chan struct{})
	s := serve(t, x, runnerFunc(func(r Request, report func(State)) {
		report(State{Name: Started})
		close(begun)
	}))
	a := s.asker()
	go func() {
		<-begun
		s.Close()
	}()
	if got, err := a.Ask(t.Context(), Request{Args: []string{"x"}, Wait: true}, nil); !errors.Is(err, ErrNoAgent) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := a.Ask(t.Context(), Request{Args: []string{"x"}}, nil); !errors.Is(err, ErrNoAgent) {
		t.Errorf("later: %+v, %v", got, err)
	}
	if err := <-s.done; err == nil {
		t.Error("Serve has no error")
	}
	s.done <- nil
}

func TestDisplayGoes(t *testing.T) {
	x := xtest.Start(t)
	begun := make(chan struct{})
	s := serve(t, x, runnerFunc(func(Request, func(State)) { close(begun) }))
	a := s.asker()
	var stopping sync.WaitGroup
	defer stopping.Wait()
	stopping.Go(func() {
		<-begun
		x.Stop()
	})
	if got, err := a.Ask(t.Context(), Request{Args: []string{"x"}}, nil); !errors.Is(err, ErrNoAgent) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := <-s.done; err == nil {
		t.Error("Serve has no error")
	}
	s.done <- nil
}

// An asker that dies is forgotten, and what it asked for goes on.
func TestAskerDies(t *testing.T) {
	reports := make(chan func(State), 1)
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) { reports <- report }))
	for _, started := range []bool{false, true} {
		a := s.asker()
		asked := make(chan error)
		go func() {
			_, err := a.Ask(t.Context(), Request{Args: []string{"x"}, Wait: true}, nil)
			asked <- err
		}()
		report := <-reports
		if started {
			report(State{Name: Started})
		}
		a.Close()
		<-asked
		eventually(t, "the asker is forgotten", func() bool { return s.count().askers == 0 })
		report(State{Name: Started})
		report(State{Name: Exited})
		report(State{Name: Exited})
		if n := s.count(); n.waiting != 0 || n.starting > 1 { // the next one's place
			t.Errorf("started %v: %+v", started, n)
		}
	}
}

// Who leaves before the turn comes takes the request back.
func TestTakenBack(t *testing.T) {
	ran := make(chan Request, maxStarting+1)
	var mu sync.Mutex
	var reports []func(State)
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) {
		mu.Lock()
		reports = append(reports, report)
		mu.Unlock()
		ran <- r
	}))
	stays := s.asker()
	var asking sync.WaitGroup
	for range maxStarting {
		asking.Go(func() { stays.Ask(t.Context(), Request{Args: []string{"stays"}}, nil) })
	}
	for range maxStarting {
		<-ran
	}
	leaves := s.asker()
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		leaves.Ask(ctx, Request{Args: []string{"leaves"}}, func(State) { cancel() })
	}()
	<-left
	leaves.Close()
	mu.Lock()
	for _, report := range reports {
		report(State{Name: Started})
	}
	mu.Unlock()
	asking.Wait()
	s.logged("taken back")
	if len(ran) > 0 {
		t.Errorf("%q ran", (<-ran).Args)
	}
}
