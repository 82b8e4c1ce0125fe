package apps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"goldm/internal/failure"
	"goldm/internal/supervise"
	"goldm/ldm/localuser"
	"goldm/ldm/room"
	"goldm/ldm/wire"
)

const limit = time.Minute

// The test re-runs itself as what is inside a room.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "room" {
		if err := room.Main(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// login is what a login has on a client, with its programs.
type login struct {
	t       testing.TB
	apps    *Apps
	place   Place
	answers chan *wire.Ran
	end     sync.Once
}

func newLogin(t testing.TB, change func(*Config)) *login {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: rooms are root's to make")
	}
	l := &login{t: t, answers: make(chan *wire.Ran, 4*maxOpen)}
	c := Config{
		Policy: new(Policy), Open: l.open, Language: "C.UTF-8",
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	l.apps = New(c)
	t.Cleanup(l.close)
	return l
}

// open makes a place as ldm does.
func (l *login) open(ctx context.Context) (Place, error) {
	log := slog.New(slog.DiscardHandler)
	group := supervise.NewGroup(log)
	l.t.Cleanup(func() { group.Close(0) })
	dir, err := os.MkdirTemp("/var/tmp", "goldm-apps-") // rooms have another /tmp
	if err != nil {
		return Place{}, err
	}
	l.t.Cleanup(func() { os.RemoveAll(dir) })
	folders := filepath.Join(dir, "seat0")
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(folders, 0o711)); err != nil {
		return Place{}, err
	}
	l.place.User, err = localuser.Allot(ctx, localuser.Config{
		Range:  localuser.Range{First: 1_300_000_000, Last: 1_300_000_100},
		RunDir: dir, Folders: folders, Records: filepath.Join(dir, "userdb"),
	}, `SCHOOL\anna`)
	if err != nil {
		return Place{}, err
	}
	l.place.Room, err = room.Open(ctx, room.Config{
		User: l.place.User.User, Folder: l.place.User.Dir, Self: []string{"/proc/self/exe", "room"}, Group: group, Log: log, Output: os.Stderr,
	})
	l.place.Groups, l.place.Env = []int{29}, []string{"PULSE_SERVER=unix:/somewhere"}
	l.place.Display, l.place.Cookie = ":77", []byte("0123456789abcdef")
	l.place.Screen = func(context.Context) error { return nil }
	return l.place, err
}

// close ends the login as ldm does.
func (l *login) close() {
	l.end.Do(func() {
		l.apps.Stop()
		if l.place.Room != nil {
			l.place.Room.Close()
		}
		l.apps.Wait()
	})
}

func (l *login) start(run *wire.Run) { l.apps.Start(run, func(r *wire.Ran) { l.answers <- r }) }

func (l *login) answer() *wire.Ran {
	l.t.Helper()
	select {
	case r := <-l.answers:
		return r
	case <-time.After(limit):
		l.t.Fatal("no answer")
		return nil
	}
}

// last returns the last answer to a request.
func (l *login) last(run *wire.Run) *wire.Ran {
	l.t.Helper()
	l.start(run)
	r := l.answer()
	if r.ID == run.ID && r.State == wire.Running && r.PID > 0 {
		r = l.answer()
	}
	if r.ID != run.ID || r.State == wire.Running {
		l.t.Fatalf("got %+v", r)
	}
	return r
}

// said runs a shell script and returns what it wrote.
func (l *login) said(id uint32, script string, change func(*wire.Run)) string {
	l.t.Helper()
	file := fmt.Sprint("/tmp/said-", id)
	run := &wire.Run{ID: id, Args: []string{"sh", "-c", "exec >" + file + " 2>&1; " + script}}
	if change != nil {
		change(run)
	}
	if r := l.last(run); r.State != wire.Exited {
		l.t.Fatalf("%s: %+v", script, r)
	}
	text, err := os.ReadFile(l.inside(file))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// inside is the path by which the test has a file of the room.
func (l *login) inside(path string) string {
	l.t.Helper()
	status, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range status {
		if text, err := os.ReadFile(s); err == nil && strings.Contains(string(text), fmt.Sprintf("Uid:\t%d\t", l.place.User.UID)) {
			return filepath.Join(filepath.Dir(s), "root", path)
		}
	}
	l.t.Fatal("the room is gone")
	return ""
}

func TestWhatProgramsHave(t *testing.T) {
	l := newLogin(t, nil)
	got := l.said(1, "id -u; id -G; pwd; env; umask; stat -c '%a %u' $XAUTHORITY $HOME; cat $XAUTHORITY | tail -c 16", func(r *wire.Run) {
		r.Startup, r.Dir = "start_TIME1", "/nonexistent"
	})
	u := l.place.User
	want := fmt.Sprintf("%d\n%d 29\n/run/user/%d/home\n", u.UID, u.UID, u.UID)
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, line := range []string{
		"HOME=/run/user/UID/home", "USER=userUID", "LOGNAME=userUID", "SHELL=/bin/sh", "DISPLAY=:77", "XDG_RUNTIME_DIR=/run/user/UID",
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games", "LANG=C.UTF-8",
		"PULSE_SERVER=unix:/somewhere", "DESKTOP_STARTUP_ID=start_TIME1",
		"0022", "400 UID", "700 UID",
	} {
		if line = strings.ReplaceAll(line, "UID", fmt.Sprint(u.UID)); !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	if !strings.HasSuffix(got, "0123456789abcdef") {
		t.Errorf("no cookie in\n%s", got)
	}
	record, err := os.ReadFile(filepath.Join(u.Dir, "../../userdb", u.Name+".user"))
	if err != nil || !strings.Contains(string(record), fmt.Sprintf(`"homeDirectory":"/run/user/%d/home"`, u.UID)) {
		t.Errorf("the record: %s, %v", record, err)
	}
	if got := l.said(2, "pwd", func(r *wire.Run) { r.Dir = "/usr/share" }); got != "/usr/share\n" {
		t.Errorf("working directory %q", got)
	}
	if got := l.said(3, "pwd", func(r *wire.Run) { r.Dir = "share" }); !strings.HasSuffix(got, "/home\n") {
		t.Errorf("working directory %q", got)
	}
}

// mounted is a home that is there until it is lost.
type mounted struct {
	lost   chan struct{}
	closed int
}

func (m *mounted) Path() string          { return "/usr/share" }
func (m *mounted) Env() []string         { return []string{"HOME=/usr/share", "XDG_CACHE_HOME=/tmp/.cache"} }
func (m *mounted) Done() <-chan struct{} { return m.lost }
func (m *mounted) Close()                { m.closed++ }

// A home is mounted once, and again where that failed or it was lost.
func TestMountedHome(t *testing.T) {
	var homes []*mounted
	broken := true
	l := newLogin(t, func(c *Config) {
		c.Home = func(context.Context, Place) (Home, error) {
			if broken {
				return nil, failure.New(errors.New("no"), "The home is closed today.")
			}
			homes = append(homes, &mounted{lost: make(chan struct{})})
			return homes[len(homes)-1], nil
		}
	})
	if r := l.last(&wire.Run{ID: 1, Args: []string{"true"}}); r.State != wire.Faulty || r.Reason != "The home is closed today." {
		t.Errorf("got %+v", r)
	}
	broken = false
	const ask, want = "echo $HOME $XDG_CACHE_HOME; pwd", "/usr/share /tmp/.cache\n/usr/share\n"
	for id := uint32(2); id < 4; id++ {
		if got := l.said(id, ask, nil); got != want {
			t.Errorf("got %q", got)
		}
	}
	if len(homes) != 1 {
		t.Fatalf("mounted %d times", len(homes))
	}
	close(homes[0].lost)
	if got := l.said(4, ask, nil); got != want || len(homes) != 2 {
		t.Errorf("got %q, mounted %d times", got, len(homes))
	}
	l.close()
	if homes[0].closed != 1 || homes[1].closed != 1 {
		t.Errorf("closed: %d, %d", homes[0].closed, homes[1].closed)
	}
}

// Programs that come at once share one try.
func TestOneTryForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, end := 0, make(chan struct{})
		a := New(Config{Log: slog.New(slog.DiscardHandler), Home: func(context.Context, Place) (Home, error) {
			tries++
			<-end
			return nil, errors.New("no")
		}})
		a.place = new(furnished)
		var failed atomic.Int32
		for range 10 {
			go func() {
				if _, err := a.haveHome(); err != nil {
					failed.Add(1)
				}
			}()
		}
		synctest.Wait()
		close(end)
		synctest.Wait()
		if tries != 1 || failed.Load() != 10 {
			t.Errorf("%d tries, %d failed", tries, failed.Load())
		}
	})
}

func TestEnds(t *testing.T) {
	l := newLogin(t, func(c *Config) { c.Policy = &Policy{Allowed: []string{"sh", "gone"}} })
	long := strings.Repeat("x", maxBytes-7)
	for i, tt := range []struct {
		args []string
		want wire.Ran
	}{
		{[]string{"sh", "-c", "exit 0"}, wire.Ran{State: wire.Exited}},
		{[]string{"sh", "-c", "exit 3"}, wire.Ran{State: wire.Exited, Status: 3}},
		{[]string{"/bin/sh", "-c", "kill -9 $$"}, wire.Ran{State: wire.Exited, Status: 137}},
		{[]string{"sh", "-c", ":", long[4:]}, wire.Ran{State: wire.Exited}},
		{[]string{"id"}, wire.Ran{State: wire.Denied, Reason: `This client does not allow "id". Ask the administrator to add it to LOCAL_APPS_WHITELIST.`}},
		{[]string{"gone"}, wire.Ran{State: wire.NotFound, Reason: `There is no program "gone" on this client.`}},
		{[]string{"sh", "-c", "x", long}, wire.Ran{State: wire.Denied, Reason: "The command is too long for this client."}},
		{[]string{"sh", "-c", "a\x00b"}, wire.Ran{State: wire.Denied, Reason: "The command has a character that no command can have."}},
		{nil, wire.Ran{State: wire.Denied, Reason: "The command is empty."}},
	} {
		tt.want.ID = uint32(i)
		if got := l.last(&wire.Run{ID: uint32(i), Args: tt.args}); *got != tt.want {
			t.Errorf("%.40q: got %+v, want %+v", tt.args, got, tt.want)
		}
	}
}

func TestOff(t *testing.T) {
	l := newLogin(t, func(c *Config) { c.Policy = nil })
	if r := l.last(&wire.Run{ID: 1, Args: []string{"true"}}); r.State != wire.Denied || !strings.Contains(r.Reason, "LOCAL_APPS") {
		t.Errorf("got %+v", r)
	}
	if l.place.Room != nil {
		t.Error("a room was made for nothing")
	}
}

func TestNoPlace(t *testing.T) {
	l := newLogin(t, func(c *Config) {
		broken, open := 3, c.Open
		c.Open = func(ctx context.Context) (Place, error) {
			if broken--; broken >= 0 {
				return Place{}, errors.New("no room")
			}
			return open(ctx)
		}
	})
	for id := range uint32(3) {
		if r := l.last(&wire.Run{ID: id, Args: []string{"true"}}); r.State != wire.Faulty || r.Reason == "" {
			t.Errorf("got %+v", r)
		}
	}
	if r := l.last(&wire.Run{ID: 3, Args: []string{"true"}}); r.State != wire.Exited {
		t.Errorf("got %+v", r)
	}
}

// A program that could not use the screen does not start, and who asked is told.
func TestNoScreen(t *testing.T) {
	broken := true
	l := newLogin(t, func(c *Config) {
		open := c.Open
		c.Open = func(ctx context.Context) (Place, error) {
			place, err := open(ctx)
			place.Screen = func(context.Context) error {
				if broken {
					return failure.New(errors.New("no"), "The screen is away.")
				}
				return nil
			}
			return place, err
		}
	})
	if r := l.last(&wire.Run{ID: 1, Args: []string{"true"}}); r.State != wire.Faulty || r.Reason != "The screen is away." {
		t.Errorf("got %+v", r)
	}
	broken = false
	if r := l.last(&wire.Run{ID: 2, Args: []string{"true"}}); r.State != wire.Exited {
		t.Errorf("got %+v", r)
	}
}

// A worker may ask for more than there is; what is open is bounded, and ends with
// the login.
func TestTooMany(t *testing.T) {
	l := newLogin(t, nil)
	for id := range uint32(maxRunning) {
		l.start(&wire.Run{ID: id, Args: []string{"sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"}})
	}
	for range maxRunning {
		if r := l.answer(); r.State != wire.Running {
			t.Fatalf("got %+v", r)
		}
	}
	const asked = 1000
	l.start(&wire.Run{ID: 7, Args: []string{"true"}}) // twice: it has no answer
	for id := uint32(maxRunning); id < asked; id++ {
		l.start(&wire.Run{ID: id, Args: []string{"true"}})
	}
	for range asked - maxRunning {
		if r := l.answer(); r.State != wire.Faulty || r.ID < maxRunning {
			t.Fatalf("got %+v", r)
		}
	}
	l.close()
	for range maxRunning {
		if r := l.answer(); r.State != wire.Exited || r.Status < 128 {
			t.Errorf("got %+v", r)
		}
	}
	l.start(&wire.Run{ID: 5000, Args: []string{"true"}})
	if r := l.answer(); r.State != wire.Faulty {
		t.Errorf("after the end: %+v", r)
	}
}

// Many that come at once and end soon all have their turn.
func TestTurns(t *testing.T) {
	l := newLogin(t, nil)
	l.apps.patience = limit
	const asked = 2 * maxRunning
	for id := range uint32(asked) {
		l.start(&wire.Run{ID: id, Args: []string{"true"}})
	}
	ends := make(map[uint32]int)
	for range 2 * asked {
		if r := l.answer(); r.State == wire.Exited && r.Status == 0 {
			ends[r.ID]++
		} else if r.State != wire.Running {
			t.Errorf("got %+v", r)
		}
	}
	if len(ends) != asked {
		t.Errorf("%d programs ran", len(ends))
	}
}

// A bus that cannot run keeps nobody waiting: the daemon wants a user that NSS
// knows, and this machine does not know the test's.
func TestBusThatCannotRun(t *testing.T) {
	if _, err := exec.LookPath("dbus-send"); err != nil {
		t.Skip(err)
	}
	l := newLogin(t, nil)
	const ask = "dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId"
	for id := range uint32(2) {
		if got := l.said(id, ask, nil); !strings.Contains(got, "Failed to open connection") {
			t.Errorf("got %q", got)
		}
	}
}

// Who writes much is read, and the log is none the fuller.
func TestOutputAndLog(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var read sync.WaitGroup
	read.Go(func() { io.Copy(io.Discard, r) })
	var log bytes.Buffer
	l := newLogin(t, func(c *Config) {
		c.Output, c.Log = w, slog.New(slog.NewTextHandler(&log, nil)).With("login", "ABC")
	})
	if r := l.last(&wire.Run{ID: 1, Args: []string{"head", "-c", "10000000", "/dev/zero"}}); r.State != wire.Exited || r.Status != 0 {
		t.Errorf("got %+v", r)
	}
	for range 2 * maxLogged {
		l.last(&wire.Run{ID: 2, Args: []string{"/etc/no\n such"}})
	}
	l.close()
	w.Close()
	read.Wait()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != maxLogged || !strings.Contains(lines[len(lines)-1], "login=ABC") || !strings.Contains(lines[len(lines)-1], "the rest is not logged") {
		t.Errorf("%d lines, the last: %s", len(lines), lines[len(lines)-1])
	}
}

// What a program has started lives on when it ends, until the login does.
func TestWhatIsLeftBehind(t *testing.T) {
	l := newLogin(t, nil)
	if r := l.last(&wire.Run{ID: 1, Args: []string{"sh", "-c", "(sleep 0.2; echo still here >/tmp/said; exec sleep 1000) &"}}); r.State != wire.Exited || r.Status != 0 {
		t.Fatalf("got %+v", r)
	}
	said := func() bool {
		text, err := os.ReadFile(l.inside("/tmp/said"))
		return err == nil && string(text) == "still here\n"
	}
	for deadline := time.Now().Add(limit); !said(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it ended with the program")
		}
	}
	l.close()
	status, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range status {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), fmt.Sprintf("Uid:\t%d", l.place.User.UID)) {
			t.Errorf("left: %s", text)
		}
	}
}

// BenchmarkStart measures the way from a request to a program that runs.
func BenchmarkStart(b *testing.B) {
	l := newLogin(b, nil)
	l.last(&wire.Run{ID: 1<<32 - 1, Args: []string{"true"}}) // which makes the room
	for i := range b.N {
		b.StartTimer()
		l.start(&wire.Run{ID: uint32(i), Args: []string{"true"}})
		if r := l.answer(); r.State != wire.Running {
			b.Fatalf("got %+v", r)
		}
		b.StopTimer()
		l.answer()
	}
}
