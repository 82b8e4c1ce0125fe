package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
)

const (
	// limit bounds the wait for what comes at once unless something is broken.
	limit    = time.Minute
	password = "correct horse ä€"
	xvfb     = `XSERVER="Xvfb -screen 0 1280x800x24"`

	// greeterUp is what ldm logs when a greeter has found its socket.
	greeterUp = "a greeter connected"

	// xCookies has the cookie of the seat's display.
	xCookies = "/run/ldm/seat0/xserver.auth"
)

// journal is a log that can be waited on.
type journal struct {
	mu     sync.Mutex
	text   bytes.Buffer
	change chan struct{}
}

func newJournal() *journal { return &journal{change: make(chan struct{})} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.change)
	j.change = make(chan struct{})
	return j.text.Write(p)
}

// ReadFrom writes down what comes from r until it ends.
func (j *journal) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{j}, r)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// mark is a place in the journal, to wait for what comes after it.
func (j *journal) mark() int { return len(j.String()) }

// wait waits until want stands in the journal after a mark, and returns the
// mark behind it.
func (j *journal) wait(t *testing.T, mark int, want string) int {
	t.Helper()
	spent := newStopwatch()
	for {
		j.mu.Lock()
		at, change := bytes.Index(j.text.Bytes()[mark:], []byte(want)), j.change
		j.mu.Unlock()
		if at >= 0 {
			return mark + at + len(want)
		}
		if spent.over(limit) {
			t.Fatalf("no %q within %v in:\n%s", want, limit, j.String()[mark:])
		}
		select {
		case <-change:
		case <-time.After(stride):
		}
	}
}

// stride is the most that a stopwatch counts from one look to the next.
const stride = time.Second

// stopwatch counts the time that this process had: where the whole machine stood
// still for a minute, nothing under test had a minute either.
type stopwatch struct {
	last  time.Time
	spent time.Duration
}

func newStopwatch() *stopwatch { return &stopwatch{last: time.Now()} }

func (w *stopwatch) over(limit time.Duration) bool {
	now := time.Now()
	w.spent += min(now.Sub(w.last), stride)
	w.last = now
	return w.spent > limit
}

// station is a thin client and its server.
type station struct {
	*testbed.Bed
	t    *testing.T
	log  *journal // ldm's
	sshd *journal

	ldm     *testbed.Cmd
	greeter int // uid of _ldm-greeter
	session int // uid of _ldm-session
	prober  int // uid of _ldm-probe
}

// plain lacks the agent on the server.
type option func(*testbed.Config)

func plain(c *testbed.Config) { c.ServerPrograms = nil }

// inRealTime are the tests of what is heard while it is played: they want the processors to
// themselves.
var inRealTime = []string{
	"TestSoundByHand", "TestSoundForAMinute", "TestSoundHeadset", "TestSoundLeavesTheDisplayAlone", "TestSoundOfALogin",
	"TestSoundOfAServerWithPipeWire", "TestSoundOfTheFirstProgram", "TestSoundOfTwoSessions", "TestSoundThatIsLate",
}

// newStation brings up both machines with the user anna and sshd, and the
// server's keys on the client; ldm does not run yet.
func newStation(t *testing.T, options ...option) *station {
	t.Helper()
	if test, _, _ := strings.Cut(t.Name(), "/"); !slices.Contains(inRealTime, test) {
		t.Parallel() // each has machines of its own
	}
	c := testbed.Config{
		ClientPrograms: []string{program("ldm"), program("ldm-session"), program("ldm-greeter")},
		ServerPrograms: []string{program("ltsp-server-agent"), program("ltsp-session-agent"), program("ltsp-localapps")},
	}
	for _, o := range options {
		o(&c)
	}
	s := &station{Bed: testbed.Start(t, c), t: t, log: newJournal(), sshd: newJournal()}
	ctx := t.Context()
	s.must(s.Client.AddSystemUsers(ctx, "_ldm-greeter", "_ldm-session", "_ldm-probe", "_ldm-filter", "_ldm-x"))
	s.must(s.Server.AddUser(ctx, "anna", password))
	if _, err := s.Server.StartSSHD(ctx, testbed.SSHDOptions{Config: []string{"LogLevel VERBOSE"}, Log: s.sshd}); err != nil {
		t.Fatal(err)
	}
	s.must(s.Trust())
	s.greeter, s.session, s.prober = s.uid("_ldm-greeter"), s.uid("_ldm-session"), s.uid("_ldm-probe")
	t.Cleanup(func() {
		if !strings.HasPrefix(t.Name(), "TestAttack") && strings.Contains(s.log.String(), "rule=seccomp") {
			t.Error("a fence refused what a program of ours needs")
		}
		if t.Failed() {
			t.Logf("ldm:\n%s\nsshd:\n%s\n%s", s.log, s.sshd, s.remains())
		}
	})
	return s
}

// remains is what a failed test leaves to look at: what runs, what anna's
// desktop said, and the windows on the screen.
func (s *station) remains() string {
	var b strings.Builder
	for name, m := range map[string]*testbed.Machine{"client": s.Client, "server": s.Server} {
		all, err := m.Processes()
		fmt.Fprintf(&b, "%s: %v\n", name, err)
		for _, p := range all {
			fmt.Fprintln(&b, " ", p)
		}
	}
	said, err := s.Server.ReadFile("/home/anna/.xsession-errors")
	fmt.Fprintf(&b, ".xsession-errors: %v\n%s\n", err, said[:min(len(said), 4<<10)])
	displays, err := s.Client.ReadDir("/tmp/.X11-unix")
	for _, display := range displays {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		c := s.Client.Command(ctx, "root", "xwininfo", "-root", "-tree")
		c.Env = append(c.Env, "DISPLAY=:"+strings.TrimPrefix(display.Name(), "X"), "XAUTHORITY="+xCookies)
		var tree []byte
		tree, err = c.Output()
		cancel()
		fmt.Fprintf(&b, "%s\n", tree)
	}
	fmt.Fprintf(&b, "windows: %v\n", err)
	return b.String()
}

func (s *station) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *station) uid(name string) int { return s.id("-u", name) }

func (s *station) gid(name string) int { return s.id("-g", name) }

// id returns a number that id(1) knows of a user.
func (s *station) id(which, name string) int {
	s.t.Helper()
	out, err := s.Client.Output(s.t.Context(), "id", which, name)
	s.must(err)
	var number int
	_, err = fmt.Sscan(out, &number)
	s.must(err)
	return number
}

// configure writes the client's configuration.
func (s *station) configure(lines ...string) {
	s.t.Helper()
	s.must(s.Client.WriteFile("/etc/ltsp/ltsp.conf", []byte("[clients]\n"+strings.Join(lines, "\n")+"\n"), 0o644))
}

// start starts ldm and waits for its greeter.
func (s *station) start() {
	s.t.Helper()
	mark := s.log.mark()
	s.launch()
	s.log.wait(s.t, mark, greeterUp)
}

func (s *station) launch() {
	s.t.Helper()
	s.ldm = s.Client.Command(context.WithoutCancel(s.t.Context()), "root", "/usr/local/bin/ldm")
	s.ldm.Stderr = s.log
	s.must(s.ldm.Start())
}

// stop ends ldm in order.
func (s *station) stop() {
	s.t.Helper()
	s.must(s.ldm.Process.Signal(syscall.SIGTERM))
	s.ldm.Wait()
}

// dial connects to the seat's socket as a greeter would.
func (s *station) dial() net.Conn {
	s.t.Helper()
	conn, err := s.Client.DialAs(s.t.Context(), s.greeter, s.greeter, "unix", "/run/ldm/seat0/greetd.sock")
	s.must(err)
	s.t.Cleanup(func() { conn.Close() })
	s.must(conn.SetDeadline(time.Now().Add(2 * limit)))
	return conn
}

// call sends a request and returns its response.
func (s *station) call(conn net.Conn, r greetd.Request) greetd.Response {
	s.t.Helper()
	s.must(greetd.WriteRequest(conn, r))
	return s.read(conn)
}

func (s *station) read(conn net.Conn) greetd.Response {
	s.t.Helper()
	response, err := greetd.ReadResponse(conn)
	if err != nil {
		s.t.Fatalf("greeter's socket: %v", err)
	}
	return response
}

// answer answers the question that is open.
func answer(text string) greetd.Request { return &greetd.PostResponse{Response: &text} }

// authenticate logs in over a connection, up to the point where the session may
// start, and returns what came instead of success.
func (s *station) authenticate(conn net.Conn, user, secret string) greetd.Response {
	s.t.Helper()
	response := s.call(conn, &greetd.CreateSession{Username: user})
	for {
		m, ok := response.(*greetd.AuthMessage)
		switch {
		case !ok:
			return response
		case m.Type == greetd.Secret:
			response = s.call(conn, answer(secret))
		default:
			response = s.call(conn, &greetd.PostResponse{})
		}
	}
}

// login logs in and returns when the session has started on the server.
func (s *station) login(user, secret string, cmd ...string) {
	s.t.Helper()
	conn := s.dial()
	expect[*greetd.Success](s.t, s.authenticate(conn, user, secret))
	expect[*greetd.Success](s.t, s.call(conn, &greetd.StartSession{Cmd: cmd}))
	mark := s.log.mark()
	conn.Close()
	s.log.wait(s.t, mark, "the session has started")
}

// expect fails unless the response is of type R.
func expect[R greetd.Response](t *testing.T, response greetd.Response) R {
	t.Helper()
	r, ok := response.(R)
	if !ok {
		t.Fatalf("got %T %+v, want %T", response, response, r)
	}
	return r
}

// settle waits until a condition holds that no event announces.
func settle(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for spent := newStopwatch(); ; {
		if condition() {
			return
		}
		if spent.over(limit) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// running returns the processes of a machine that a condition picks.
func running(t *testing.T, m *testbed.Machine, pick func(testbed.Process) bool) []testbed.Process {
	t.Helper()
	all, err := m.Processes()
	if err != nil {
		t.Fatal(err)
	}
	var picked []testbed.Process
	for _, p := range all {
		if pick(p) {
			picked = append(picked, p)
		}
	}
	return picked
}

// worker picks the processes of workers: what runs as their user.
func (s *station) worker(p testbed.Process) bool { return p.UID == s.session }

// probe picks the process that watches the servers.
func (s *station) probe(p testbed.Process) bool {
	return p.UID == s.prober && slices.Contains(p.Command, "probe")
}

func named(program string) func(testbed.Process) bool {
	return func(p testbed.Process) bool { return p.Program() == program }
}
