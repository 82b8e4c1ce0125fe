package localapps

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"goldm/internal/x11/xconn"
	"goldm/internal/x11/xtest"
)

// Ten thousand requests from twenty senders: none is lost, none runs twice, and a
// storm of LTSP 5's requests beside them does no harm.
func TestStorm(t *testing.T) {
	const senders, each = 20, 500
	var mu sync.Mutex
	ran := make(map[string]int)
	old := 0
	var delays []time.Duration
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) {
		now := time.Now()
		mu.Lock()
		if r.Legacy {
			old++
		} else {
			ran[r.Args[0]]++
			var sent int64
			fmt.Sscan(r.Args[1], &sent)
			delays = append(delays, now.Sub(time.Unix(0, sent)))
		}
		mu.Unlock()
		report(State{Name: Started})
		report(State{Name: Exited})
	}))
	var sending sync.WaitGroup
	for sender := range senders {
		a := s.asker()
		sending.Go(func() {
			for n := range each {
				args := []string{fmt.Sprintf("%d-%d", sender, n), fmt.Sprint(time.Now().UnixNano())}
				if got, err := a.Ask(t.Context(), Request{Args: args, Wait: n%10 == 0}, nil); err != nil || got.Reason != "" {
					t.Errorf("%+v, %v", got, err)
					return
				}
			}
		})
	}
	flood := rawClient(t, s)
	sending.Go(func() {
		for range 1000 {
			flood.set(s.conn.Root, "LTSP_COMMAND", "x")
		}
	})
	sending.Wait()
	flood.set(s.conn.Root, "LTSP_COMMAND", "x")
	eventually(t, "LTSP_COMMAND runs", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return old > 0
	})
	mu.Lock()
	defer mu.Unlock()
	for name, times := range ran {
		if times != 1 {
			t.Errorf("%s ran %d times", name, times)
		}
	}
	if len(ran) != senders*each {
		t.Errorf("%d of %d ran", len(ran), senders*each)
	}
	slices.Sort(delays)
	t.Logf("from request to Run with %d senders: median %v, 99 of 100 within %v", senders, delays[len(delays)/2], delays[len(delays)*99/100])
}

// One request at a time, as people click.
func TestLatency(t *testing.T) {
	var began time.Time
	var delays []time.Duration
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) {
		delays = append(delays, time.Since(began))
		report(State{Name: Started})
	}))
	a := s.asker()
	for range 200 {
		began = time.Now()
		s.ask(a, Request{Args: []string{"x"}}, State{Name: Started})
	}
	slices.Sort(delays)
	median := delays[len(delays)/2]
	t.Logf("from request to Run: median %v", median)
	if median > 100*time.Millisecond { // 0.3 ms on an idle machine
		t.Errorf("median %v", median)
	}
}

// raw is a client that knows no manners.
type raw struct {
	*xconn.Conn
	t *testing.T
}

func rawClient(t *testing.T, s *stage) *raw {
	t.Helper()
	conn, err := xconn.Open(t.Context(), displayOf(s.x))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return &raw{conn, t}
}

func (r *raw) atom(name string) xproto.Atom {
	r.t.Helper()
	atoms, err := r.Atoms(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return atoms[0]
}

func (r *raw) set(window xproto.Window, name, value string) {
	xproto.ChangeProperty(r.Conn.Conn, xproto.PropModeReplace, window, r.atom(name), r.atom("UTF8_STRING"), 8, uint32(len(value)), []byte(value))
}

// append appends to the mailbox and waits for the server.
func (r *raw) append(s *stage, kind string, value string) error {
	return xproto.ChangePropertyChecked(r.Conn.Conn, xproto.PropModeAppend, s.window, r.atom(requestName), r.atom(kind), 8, uint32(len(value)), []byte(value)).Check()
}

// A hundred thousand requests at once: those that there is no room for are refused, and
// who waits hears that.
func TestTooManyAtOnce(t *testing.T) {
	const number, pack = 100_000, 1000
	release := make(chan struct{})
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) {
		<-release
		report(State{Name: Started})
	}))
	r := rawClient(t, s)
	data, err := encode(&runRecord{Version: version, Direction: client, Args: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	before := allocated()
	for range number / pack {
		if err := r.append(s, "UTF8_STRING", strings.Repeat(string(data), pack)); err != nil {
			t.Fatal(err)
		}
	}
	s.logged("too many at once")
	a := s.asker()
	got, err := a.Ask(t.Context(), Request{Args: []string{"x"}}, nil)
	if err != nil || got.Name != Denied || !strings.Contains(got.Reason, "too many requests") {
		t.Errorf("%+v, %v", got, err)
	}
	if grown := allocated() - before; grown > 64<<20 {
		t.Errorf("%d MB more", grown>>20)
	}
	close(release)
	eventually(t, "the next one is taken", func() bool {
		got, err := a.Ask(t.Context(), Request{Args: []string{"x"}}, nil)
		return err == nil && got.Name == Started
	})
}

func allocated() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Whatever stands in the mailbox, the next request works.
func TestRubbish(t *testing.T) {
	s := serve(t, xtest.Start(t), program)
	a := s.asker()
	r := rawClient(t, s)
	huge := strings.Repeat("x", 200<<10)
	good, err := encode(&runRecord{Version: version, Direction: client, Args: []string{"editor"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func() error{
		"text":         func() error { return r.append(s, "UTF8_STRING", "firefox\n") },
		"not UTF-8":    func() error { return r.append(s, "UTF8_STRING", "\x1e{\"type\":\"run\",\"args\":[\"\xff\"]}\n") },
		"no JSON":      func() error { return r.append(s, "UTF8_STRING", "\x1e{\n") },
		"an answer":    func() error { return r.append(s, "UTF8_STRING", "\x1e{\"type\":\"state\"}\n") },
		"cut off":      func() error { return r.append(s, "UTF8_STRING", string(good[:20])) },
		"another type": func() error { return r.append(s, "STRING", "x") },
		"another width": func() error {
			return xproto.ChangePropertyChecked(r.Conn.Conn, xproto.PropModeReplace, s.window, s.request, xproto.AtomCardinal, 32, 1, []byte{1, 2, 3, 4}).Check()
		},
		"20 MB": func() error {
			for range 100 {
				if err := r.append(s, "UTF8_STRING", huge); err != nil {
					return err
				}
			}
			return nil
		},
		"taken away": func() error {
			return xproto.DeletePropertyChecked(r.Conn.Conn, s.window, s.request).Check()
		},
	} {
		if err := send(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.ask(a, Request{Args: []string{"editor"}}, State{Name: Started, PID: 7})
	}
}

// Records that others may send one day, and windows that are not the asker's.
func TestOddRequests(t *testing.T) {
	s := serve(t, xtest.Start(t), program)
	r := rawClient(t, s)
	a := s.asker()
	good := runRecord{Version: version, Direction: client, Args: []string{"editor"}}
	for name, tt := range map[string]struct {
		change func(*runRecord)
		said   string
	}{
		"version 3":       {func(r *runRecord) { r.Version = 3 }, "understands version 2"},
		"other direction": {func(r *runRecord) { r.Direction = "server" }, "no programs on the server"},
		"no program":      {func(r *runRecord) { r.Args = nil }, "no program is named"},
		"dir":             {func(r *runRecord) { r.Dir = "../.." }, "no absolute path"},
	} {
		odd := good
		tt.change(&odd)
		id, states := a.expect()
		odd.ID, odd.Window = id, uint32(a.window)
		data, err := encode(&odd)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.append(s, "UTF8_STRING", string(data)); err != nil {
			t.Fatal(err)
		}
		for last := (State{Name: Accepted}); !last.last(); {
			select {
			case last = <-states:
				if last.last() && (last.Name != Denied || !strings.Contains(last.Reason, tt.said)) {
					t.Errorf("%s: %+v", name, last)
				}
			case <-time.After(patience):
				t.Fatalf("%s: no answer", name)
			}
		}
		a.expectNoMore(id)
	}
	for _, window := range []xproto.Window{s.conn.Root, s.window, 0x7fffff} { // ours, the root, nobody's
		odd := good
		odd.Window, odd.Wait = uint32(window), true
		data, err := encode(&odd)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.append(s, "UTF8_STRING", string(data)); err != nil {
			t.Fatal(err)
		}
	}
	s.logged("taken back")
	s.ask(a, Request{Args: []string{"editor"}, Wait: true}, State{Name: Exited, Status: 1})
	before := len(s.log.String())
	s.xprop("-root", "-f", "LTSP_COMMAND", "8u", "-set", "LTSP_COMMAND", "a;b")
	eventually(t, "LTSP_COMMAND is still heard of", func() bool { return len(s.log.String()) > before })
}

// More askers wait than a mailbox remembers.
func TestTooManyWait(t *testing.T) {
	s := serve(t, xtest.Start(t), runnerFunc(func(r Request, report func(State)) { report(State{Name: Started}) }))
	a := s.asker()
	var asking sync.WaitGroup
	for range maxWaiting {
		asking.Go(func() { a.Ask(t.Context(), Request{Args: []string{"x"}, Wait: true}, nil) })
	}
	eventually(t, "all wait", func() bool { return s.count().waiting == maxWaiting })
	if got, err := a.Ask(t.Context(), Request{Args: []string{"x"}, Wait: true}, nil); err != nil || got.Name != Denied {
		t.Errorf("%+v, %v", got, err)
	}
	s.ask(a, Request{Args: []string{"x"}}, State{Name: Started})
	a.Close()
	asking.Wait()
	eventually(t, "all are forgotten", func() bool { return s.count() == count{starting: s.count().starting} })
}
