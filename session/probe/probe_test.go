package probe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"goldm/ldm/wire"
)

// soon bounds the wait for what comes at once, or is broken.
const soon = 10 * time.Second

// listen serves connections with f until the test ends.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f(conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func says(text string) func(net.Conn) {
	return func(conn net.Conn) { io.WriteString(conn, text) }
}

func TestAsk(t *testing.T) {
	heard := make(chan string, 1)
	up := listen(t, func(conn net.Conn) {
		io.WriteString(conn, "SSH-2.0-OpenSSH_10.0p2\r\n")
		all, _ := io.ReadAll(conn)
		heard <- string(all)
	})
	for server, want := range map[string]string{
		up: wire.Up,
		listen(t, says("Exceeded MaxStartups\r\n")): wire.Busy,
		listen(t, says("220 mail\r\n")):             wire.Down,
		closed(t):                                   wire.Down,
		"no such server.invalid":                    wire.Down,
		"127.0.0.1:0":                               wire.Down,
	} {
		seen, err := ask(t.Context(), server)
		if seen.Name != server || seen.State != want || (err == nil) != (want == wire.Up) {
			t.Errorf("%s: %+v, %v, want %q", server, seen, err, want)
		}
		if want == wire.Up && seen.RTT <= 0 {
			t.Errorf("%s: a round trip of %d µs", server, seen.RTT)
		}
	}
	if got := <-heard; got != version {
		t.Errorf("the server heard %q", got)
	}
}

// A server that takes the connection and says nothing does not hold up the end.
func TestAskIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := listen(t, func(conn net.Conn) {
		cancel()
		io.ReadAll(conn)
	})
	begin := time.Now()
	if seen, err := ask(ctx, server); seen.State != wire.Down || err == nil || time.Since(begin) > patience/2 {
		t.Errorf("%+v, %v after %v", seen, err, time.Since(begin))
	}
}

// start runs a probe and returns ldm's end of it, and what Run returns.
func start(t *testing.T, ctx context.Context) (*wire.Conn, <-chan error) {
	t.Helper()
	daemon, file, err := wire.ProbePair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close() })
	conn, err := wire.Probe(file)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- Run(ctx, conn, slog.New(slog.DiscardHandler)) }()
	return daemon, result
}

func ends(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(soon):
		t.Fatal("the probe does not end")
		return nil
	}
}

func TestRun(t *testing.T) {
	daemon, result := start(t, t.Context())
	down, up := closed(t), listen(t, says("SSH-2.0-x\r\n"))
	if err := daemon.Send(&wire.Watch{Servers: []string{down, up}}); err != nil {
		t.Fatal(err)
	}
	for {
		message, err := daemon.Receive()
		if err != nil {
			t.Fatal(err)
		}
		list := message.(*wire.Servers).List
		if len(list) != 2 {
			t.Fatalf("got %+v", list)
		}
		if list[0].Name != down || list[1].Name != up {
			t.Fatalf("got %+v", list)
		}
		if list[0].State == wire.Down && list[1].State == wire.Up {
			break
		}
	}
	daemon.Close()
	if err := ends(t, result); err != nil {
		t.Errorf("after ldm hung up: %v", err)
	}
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, result := start(t, ctx)
	cancel()
	if err := ends(t, result); err != nil {
		t.Errorf("when told to stop: %v", err)
	}
	daemon, result := start(t, t.Context())
	if err := daemon.Send(&wire.Start{}); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, result); err == nil || !strings.Contains(err.Error(), "message from ldm") {
		t.Errorf("after a message that is not for probes: %v", err)
	}
}

// A probe whose ldm hangs does not wait for it for ever.
func TestRunEndsWhereLdmHangs(t *testing.T) {
	daemon, result := start(t, t.Context())
	list := make([]string, wire.MaxServers)
	for i := range list {
		list[i] = fmt.Sprintf("127.0.0.%d:0", i) // which is asked in no time
	}
	if err := daemon.Send(&wire.Watch{Servers: list}); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, result); err == nil || !strings.Contains(err.Error(), "tell ldm") {
		t.Errorf("got %v", err)
	}
}

// Sixty clients behind one address do not lead Debian 13's sshd to turn it away:
// a second of penalty for each question, and fifteen are too much.
func TestPace(t *testing.T) {
	var asked []time.Duration
	for range 60 {
		for at := rand.N(againUp); at < 12*time.Hour; at += again(wire.Up) {
			asked = append(asked, at)
		}
	}
	slices.Sort(asked)
	var penalty, most, last time.Duration
	for _, at := range asked {
		penalty = max(0, penalty-(at-last)) + time.Second
		most, last = max(most, penalty), at
	}
	if most >= 15*time.Second {
		t.Errorf("a penalty of %v", most)
	}
}
