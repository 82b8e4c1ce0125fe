package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/infowire"
	"goldm/server-agent/info"
)

// limit bounds the wait for what comes at once unless something is broken.
const limit = time.Minute

// school is what a server knows.
func school(context.Context) info.Info {
	return info.Info{
		XSession: "/etc/X11/Xsession",
		Info: infowire.Info{
			Version: infowire.Version, Agent: "1.0", Rating: 87, Running: 2,
			Languages: []string{"de_DE.UTF-8", "C.UTF-8"},
			Sessions: []infowire.Session{
				{ID: "xfce", Name: "Xfce Session", Exec: []string{"startxfce4"}},
				{ID: "kiosk", Name: "Kiosk", Exec: []string{"kiosk", "--url", "http://school/"}},
			},
			Load:   &infowire.Load{CPUs: 4, Fifteen: 0.4},
			Memory: &infowire.Memory{Total: 100, Available: 80},
		},
	}
}

// serving is a server under test.
type serving struct {
	text, http string // addresses
	stop       func() error
}

func start(t testing.TB, get func(context.Context) info.Info, conns int) *serving {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, Config{
			Text: listeners[:1], HTTP: listeners[1:], Info: get, Log: slog.New(slog.DiscardHandler),
		}, conns)
	}()
	s := &serving{text: listeners[0].Addr().String(), http: listeners[1].Addr().String()}
	s.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(limit):
			return errors.New("the server does not end")
		}
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial connects from one of the addresses that this computer is to itself.
func dial(t testing.TB, from int, to string) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: limit, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(from%250+1))}}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(limit))
	return conn
}

const request = "GET /v1/info HTTP/1.1\r\nHost: server\r\n\r\n"

// readHTTP reads an answer by HTTP.
func readHTTP(conn net.Conn) (*infowire.Info, error) {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, body)
	}
	return infowire.Decode(body)
}

// old is what an LTSP 5 client made of an answer.
type old struct {
	languages, sessions []string
	names               map[string]string // of sessions, by command
	xsession            string
	rating              int
}

// readOld reads as LTSP 5's client did: 16 KiB at most, lines, the value behind the
// first colon, a session's name up to the second.
func readOld(conn net.Conn) (*old, error) {
	text, err := io.ReadAll(io.LimitReader(conn, 16<<10))
	if err != nil {
		return nil, err
	}
	o := &old{names: make(map[string]string)}
	for line := range strings.SplitSeq(string(text), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "language":
			o.languages = append(o.languages, value)
		case "session":
			o.sessions = append(o.sessions, value)
		case "session-with-name":
			name, command, _ := strings.Cut(value, ":")
			o.names[command] = name
		case "xsession":
			o.xsession = value
		case "rating":
			if o.rating, err = strconv.Atoi(value); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

func wantOld() *old {
	return &old{
		languages: []string{"de_DE.UTF-8", "C.UTF-8"},
		sessions:  []string{"startxfce4", "kiosk --url http://school/"},
		names:     map[string]string{"startxfce4": "Xfce Session", "kiosk --url http://school/": "Kiosk"},
		xsession:  "/etc/X11/Xsession",
		rating:    88, // 100 − int(50·0.4/8 + 50·0.2)
	}
}

func TestOldClient(t *testing.T) {
	s := start(t, school, MaxConns)
	got, err := readOld(dial(t, 0, s.text))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantOld(), got, cmp.AllowUnexported(old{})); d != "" {
		t.Error(d)
	}
}

func TestHTTP(t *testing.T) {
	s := start(t, school, MaxConns)
	conn := dial(t, 0, s.http)
	io.WriteString(conn, request)
	got, err := readHTTP(conn)
	if err != nil {
		t.Fatal(err)
	}
	want := school(t.Context()).Info
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
	for ask, status := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":                                              "404",
		"GET /v1/info/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n":                      "",
		"POST /v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello":            "405",
		"GET /v1/info HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n": "431",
		"SSH-2.0-x\r\n\r\n": "400",
	} {
		conn := dial(t, 0, s.http)
		io.WriteString(conn, ask)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 "+status) || strings.HasPrefix(line, "HTTP/1.1 200") {
			t.Errorf("%.40q: %q, want %s", ask, line, status)
		}
	}
}

// ports are those of a server, with how to ask and to read there.
func (s *serving) ports() []port {
	return []port{
		{"text", s.text, "", func(c net.Conn) error { _, err := readOld(c); return err }},
		{"http", s.http, request, func(c net.Conn) error { _, err := readHTTP(c); return err }},
	}
}

type port struct {
	name, address, ask string
	read               func(net.Conn) error
}

// askedBy has clients ask a port that are all connected before the first one asks, and
// tells how long both took.
func askedBy(t testing.TB, clients int, p port) (connecting, answering time.Duration) {
	begin := time.Now()
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = dial(t, i, p.address)
	}
	asked := time.Now()
	var asking sync.WaitGroup
	var failed atomic.Int32
	for _, conn := range conns {
		asking.Go(func() {
			defer conn.Close()
			io.WriteString(conn, p.ask)
			if err := p.read(conn); err != nil {
				failed.Add(1)
				t.Errorf("%s: %v", p.name, err)
			}
		})
	}
	asking.Wait()
	if failed.Load() > 0 {
		t.Fatalf("%s: %d of %d got no answer", p.name, failed.Load(), clients)
	}
	return asked.Sub(begin), time.Since(asked)
}

// A school switches on.
func TestThousandClients(t *testing.T) {
	var made atomic.Int32
	s := start(t, func(ctx context.Context) info.Info { made.Add(1); return school(ctx) }, MaxConns)
	for _, p := range s.ports() {
		connecting, answering := askedBy(t, 1000, p)
		t.Logf("%s: 1000 clients connected in %v, all answered %v after that", p.name,
			connecting.Round(time.Millisecond), answering.Round(time.Millisecond))
	}
	if n := made.Load(); n > 100 {
		t.Errorf("the answer was made %d times", n)
	}
}

// BenchmarkSchool is that again and again.
func BenchmarkSchool(b *testing.B) {
	s := start(b, school, MaxConns)
	for _, p := range s.ports() {
		b.Run(p.name, func(b *testing.B) {
			var all time.Duration
			for b.Loop() {
				_, answering := askedBy(b, 1000, p)
				all += answering
			}
			b.ReportMetric(float64(1000*b.N)/all.Seconds(), "answers/s")
		})
	}
}

// Who connects and says nothing, or half of something, holds up nobody.
func TestSlowClients(t *testing.T) {
	const most = 50
	s := start(t, school, most)
	for i := range 3 * most {
		io.WriteString(dial(t, i, s.http), request[:i%len(request)])
		if i%10 == 0 {
			good := dial(t, i, s.http)
			io.WriteString(good, request)
			if _, err := readHTTP(good); err != nil {
				t.Fatalf("beside %d slow ones: %v", i, err)
			}
			if _, err := readOld(dial(t, i, s.text)); err != nil {
				t.Fatalf("beside %d slow ones: %v", i, err)
			}
		}
	}
}

// One that never asks is sent away in a while, with room for all.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	s := start(t, school, MaxConns)
	conn := dial(t, 0, s.http)
	io.WriteString(conn, request[:20])
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("half a request was still waited for: %v", err)
	}
}

// A source that hangs costs those who ask a second, and they get what was known.
func TestHangingSource(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	var asked atomic.Int32
	s := start(t, func(ctx context.Context) info.Info {
		if asked.Add(1) > 1 {
			select {
			case <-hang:
			case <-ctx.Done():
			}
		}
		return school(ctx)
	}, MaxConns)
	if _, err := readOld(dial(t, 0, s.text)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(limit); asked.Load() < 2; {
		if time.Now().After(deadline) {
			t.Fatal("the answer is never made again")
		}
		time.Sleep(fresh / 20)
		if got, err := readOld(dial(t, 0, s.text)); err != nil || len(got.sessions) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	close(hang)
}

// The end waits for nobody on the line.
func TestEnd(t *testing.T) {
	s := start(t, func(ctx context.Context) info.Info { <-ctx.Done(); return info.Info{} }, MaxConns)
	for i := range 10 {
		io.WriteString(dial(t, i, s.http), request)
		dial(t, i, s.text)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestRunNeedsListeners(t *testing.T) {
	if err := Run(t.Context(), Config{}); err == nil {
		t.Error("no error")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Run(t.Context(), Config{Text: []net.Listener{l}, Info: school, Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener that fails: %v", err)
	}
}
