package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"goldm/internal/privs"
	"goldm/ldm/wire"
)

// How long until a server is asked again. One that is up pays for each question
// with a process and a line in its log, and Debian 13's holds one second against
// the address for it and turns the address away at fifteen (sshd_config(5),
// PerSourcePenalties, noauth). Sixty clients behind one address stay far below
// that at this pace. A server that is down pays nothing.
const (
	againUp   = 2 * time.Minute
	againBusy = 30 * time.Second
	againDown = 15 * time.Second

	// first is how far the first questions of clients are spread that were
	// switched on together.
	first = time.Second
)

// How long until a server's agent is asked again, which costs it next to nothing: the
// answer is made once for all clients. What it says is soon old when many log in.
const (
	againTold   = 20 * time.Second
	againSilent = time.Minute // where nobody listens
)

// probe watches servers for one ldm.
type probe struct {
	conn  *wire.Conn
	log   *slog.Logger
	news  chan news
	tasks sync.WaitGroup
	found *discovery // nil where servers are not to be discovered

	end context.CancelCauseFunc // ends Run with an error
}

// news is something new about a server.
type news struct {
	server string
	apply  func(*wire.Server)
	others []string // servers that this one named
}

// Run watches servers over conn, and closes it. It returns nil when ldm has hung
// up, or stop has ended.
func Run(stop context.Context, conn *wire.Conn, log *slog.Logger) error {
	defer conn.Close()
	if err := privs.Conceal(); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(stop)
	p := &probe{conn: conn, log: log, news: make(chan news), end: end}
	defer p.tasks.Wait()
	defer end(nil)
	context.AfterFunc(ctx, func() { conn.Close() }) // which ends what waits for ldm
	watch, err := told(conn)
	if stop.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("message from ldm: %w", err)
	}
	if p.found, err = newDiscovery(watch, log); err != nil {
		log.Warn("other servers are not looked for", "err", err)
	}
	p.tasks.Go(func() {
		answerPings(conn) // until ldm hangs up
		end(nil)
	})
	for _, name := range watch.Servers {
		p.begin(ctx, name, p.found != nil)
	}
	err = p.report(ctx, watch.Servers)
	if cause := context.Cause(ctx); stop.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// begin watches one more server; where it is asked for others they count.
func (p *probe) begin(ctx context.Context, server string, others bool) {
	p.tasks.Go(func() { p.watch(ctx, server) })
	p.tasks.Go(func() { p.watchInfo(ctx, server, others) })
}

// told waits for ldm to say which servers to watch.
func told(conn *wire.Conn) (*wire.Watch, error) {
	message, err := conn.Receive()
	if err != nil {
		return nil, err
	}
	watch, ok := message.(*wire.Watch)
	if !ok || len(watch.Servers) > wire.MaxServers {
		return nil, fmt.Errorf("%T where at most %d servers were due", message, wire.MaxServers)
	}
	return watch, nil
}

// answerPings shows ldm that we live, which is all that it wants to know, until it says something else.
func answerPings(conn *wire.Conn) {
	for {
		message, err := conn.Receive()
		ping, ok := message.(*wire.Ping)
		if err != nil || !ok || conn.Send(&wire.Pong{ID: ping.ID}) != nil {
			return
		}
	}
}

// watch asks one server again and again whether it takes logins.
func (p *probe) watch(ctx context.Context, server string) {
	state := wire.Unknown
	for pause := rand.N(first); wait(ctx, pause); pause = again(state) {
		if err := canName(); err != nil {
			p.end(err)
			return
		}
		seen, err := ask(ctx, server)
		if ctx.Err() != nil {
			return
		}
		if seen.State != state {
			state = seen.State
			p.log.Info("server", "server", server, "state", state, "rtt", time.Duration(seen.RTT)*time.Microsecond, "err", err)
		}
		p.tell(ctx, news{server: server, apply: func(s *wire.Server) { s.State, s.RTT = seen.State, seen.RTT }})
	}
}

// watchInfo asks the agent of one server again and again how loaded that is.
func (p *probe) watchInfo(ctx context.Context, server string, others bool) {
	told := false // most servers have no agent, which is nothing to log
	for pause := rand.N(first); wait(ctx, pause); {
		seen, named, err := askInfo(ctx, server)
		if ctx.Err() != nil {
			return
		}
		if told != (err == nil) {
			p.log.Info("server's information", "server", server, "rating", seen.Rating, "drained", seen.Drained, "err", err)
		}
		told, pause = err == nil, vary(againTold)
		if errors.Is(err, syscall.ECONNREFUSED) {
			pause = vary(againSilent)
		}
		n := news{server: server, apply: func(s *wire.Server) { s.Rating, s.CPUs, s.Drained = seen.Rating, seen.CPUs, seen.Drained }}
		if others {
			n.others = named
		}
		p.tell(ctx, n)
	}
}

// tell passes on what is new.
func (p *probe) tell(ctx context.Context, n news) {
	select {
	case p.news <- n:
	case <-ctx.Done():
	}
}

// wait waits, and tells whether to go on.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// again is the pause after an answer.
func again(state string) time.Duration {
	pause := againUp
	switch state {
	case wire.Busy:
		pause = againBusy
	case wire.Down:
		pause = againDown
	}
	return vary(pause)
}

// vary makes a pause up to a quarter longer or shorter, so that clients that were
// switched on together drift apart.
func vary(pause time.Duration) time.Duration { return pause*3/4 + rand.N(pause/2) }

// report tells ldm of all servers whenever there is something new.
func (p *probe) report(ctx context.Context, names []string) error {
	list := make([]wire.Server, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	for {
		select {
		case n := <-p.news:
			before := slices.Clone(list)
			for i := range list {
				if list[i].Name == n.server {
					n.apply(&list[i])
				}
			}
			for _, other := range n.others {
				if len(list) < wire.MaxServers && p.found.take(other, n.server) {
					list = append(list, wire.Server{Name: other})
					p.begin(ctx, other, false)
				}
			}
			if slices.Equal(before, list) {
				continue
			}
		case <-ctx.Done():
			return nil
		}
		if err := p.conn.Send(&wire.Servers{List: list}); err != nil {
			if ctx.Err() != nil || errors.Is(err, syscall.EPIPE) {
				return nil
			}
			return fmt.Errorf("tell ldm: %w", err)
		}
	}
}
