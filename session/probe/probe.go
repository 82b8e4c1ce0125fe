package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"goldm/internal/privs"
	"goldm/ldm/wire"
	"goldm/session/servers"
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

// maxServers is more than an administrator lists.
const maxServers = 1000

// probe watches servers for one ldm.
type probe struct {
	conn *wire.Conn
	log  *slog.Logger
	seen chan wire.Server
}

// Run watches servers over conn, and closes it. It returns nil when ldm has hung
// up, or stop has ended.
func Run(stop context.Context, conn *wire.Conn, log *slog.Logger) error {
	defer conn.Close()
	if err := privs.Conceal(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stop)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	context.AfterFunc(ctx, func() { conn.Close() }) // which ends what waits for ldm
	names, err := told(conn)
	if stop.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("message from ldm: %w", err)
	}
	p := &probe{conn: conn, log: log, seen: make(chan wire.Server)}
	tasks.Go(func() {
		conn.Receive() // nothing more comes until ldm hangs up
		cancel()
	})
	for _, name := range names {
		tasks.Go(func() { p.watch(ctx, name) })
	}
	return p.report(ctx, names)
}

// told waits for ldm to say which servers to watch.
func told(conn *wire.Conn) ([]string, error) {
	message, err := conn.Receive()
	if err != nil {
		return nil, err
	}
	watch, ok := message.(*wire.Watch)
	if !ok || len(watch.Servers) > maxServers {
		return nil, fmt.Errorf("%T where at most %d servers were due", message, maxServers)
	}
	return watch.Servers, nil
}

// watch asks one server again and again.
func (p *probe) watch(ctx context.Context, server string) {
	state := wire.Unknown
	for pause := rand.N(first); ; {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
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
		select {
		case p.seen <- seen:
		case <-ctx.Done():
			return
		}
		pause = again(state)
	}
}

// again is the pause after an answer, up to a quarter more or less, so that
// clients that were switched on together drift apart.
func again(state string) time.Duration {
	pause := againUp
	switch state {
	case wire.Busy:
		pause = againBusy
	case wire.Down:
		pause = againDown
	}
	return pause*3/4 + rand.N(pause/2)
}

// report tells ldm of all servers whenever one has answered.
func (p *probe) report(ctx context.Context, names []string) error {
	list := make([]wire.Server, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	for {
		select {
		case seen := <-p.seen:
			for i := range list {
				if list[i].Name == seen.Name {
					list[i] = seen
				}
			}
		case <-ctx.Done():
			return nil
		}
		if err := p.conn.Send(&wire.Servers{List: servers.Order(list)}); err != nil {
			if ctx.Err() != nil || errors.Is(err, syscall.EPIPE) {
				return nil
			}
			return fmt.Errorf("tell ldm: %w", err)
		}
	}
}
