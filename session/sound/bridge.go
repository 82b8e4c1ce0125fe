package sound

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"goldm/internal/peer"
)

// Daemon is a sound daemon on this computer.
type Daemon struct {
	Socket string // path; looked for anew for each program
	Cookie []byte // what the daemon wants to see
}

const (
	// greetWithin is how long a program may take to show its cookie.
	greetWithin = 10 * time.Second

	// dialWithin is how long a program waits for a daemon that is being started again,
	// and dialEvery how often it is looked for.
	dialWithin = 3 * time.Second
	dialEvery  = 100 * time.Millisecond
)

// bridge connects programs of a session with the daemon.
type bridge struct {
	daemon Daemon
	cookie []byte // the session's own, which its programs have
	budget *budget
	log    *slog.Logger

	strangers *peer.Queue[struct{}] // programs that have not shown the cookie
	slots     chan struct{}         // one for each that has

	mu      sync.Mutex
	trouble string // what was last complained of; empty when the last program got through
}

func newBridge(daemon Daemon, cookie []byte, log *slog.Logger) *bridge {
	return &bridge{daemon: daemon, cookie: cookie, budget: newBudget(bytesPerSecond, burst), log: log,
		strangers: peer.NewQueue[struct{}](maxStrangers), slots: make(chan struct{}, maxPrograms)}
}

// serve has one program, until it or the daemon ends the connection, or ctx ends.
func (b *bridge) serve(ctx context.Context, program io.ReadWriteCloser) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer program.Close()
	stop := context.AfterFunc(ctx, func() { program.Close() })
	defer stop()
	input := bufio.NewReaderSize(program, 32<<10)
	greeting, err := b.admit(program, input)
	if err != nil {
		b.complain("a program on the server gets no sound", err)
		return
	}
	defer func() { <-b.slots }()
	daemon, err := b.dial(ctx)
	if err != nil {
		b.complain("the sound daemon cannot be reached: silence", err)
		return
	}
	b.content()
	defer daemon.Close()
	stopDaemon := context.AfterFunc(ctx, func() { daemon.Close() })
	defer stopDaemon()
	if _, err := daemon.Write(greeting.append(nil)); err != nil {
		b.log.Debug("sound daemon", "err", err)
		return
	}
	b.carry(ctx, cancel, input, program, daemon)
}

// admit greets the program, which may lose its place to another one until it has shown the
// cookie, and takes one of the slots.
func (b *bridge) admit(program io.Closer, input io.Reader) (auth, error) {
	place := b.strangers.Take(struct{}{}, func() { program.Close() })
	greeting, err := b.greet(program, input)
	if !place.Leave() {
		return auth{}, errors.New("too many programs without the cookie")
	}
	if err != nil {
		return auth{}, err
	}
	select {
	case b.slots <- struct{}{}:
		return greeting, nil
	default:
		return auth{}, errors.New("too many programs")
	}
}

// greet reads the program's greeting and returns the one for the daemon.
func (b *bridge) greet(program io.Closer, input io.Reader) (auth, error) {
	late := time.AfterFunc(greetWithin, func() { program.Close() })
	defer late.Stop()
	greeting, err := readAuth(input)
	if err != nil {
		return auth{}, err
	}
	return greeting.admit(b.cookie, b.daemon.Cookie)
}

// dial connects to the daemon, for whose start it waits a little.
func (b *bridge) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	tick := time.NewTicker(dialEvery)
	defer tick.Stop()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unix", b.daemon.Socket)
		if err == nil {
			return conn, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// carry copies both ways until one end is closed. The two ways wait for nothing
// but their own reader, so what one side does not take holds up its own
// stream only.
func (b *bridge) carry(ctx context.Context, cancel context.CancelFunc, input io.Reader, program io.Writer, daemon net.Conn) {
	requests := &filter{
		from: b.budget.reader(ctx, input),
		refused: func(code uint32) {
			b.complain("a program on the server wants more than sound", fmt.Errorf("command %d of PulseAudio's protocol", code))
		},
	}
	var copying sync.WaitGroup
	copying.Go(func() {
		defer cancel()
		if _, err := io.Copy(daemon, requests); err != nil && ctx.Err() == nil {
			b.log.Debug("program to sound daemon", "err", err)
		}
	})
	copying.Go(func() {
		defer cancel()
		if _, err := io.Copy(program, daemon); err != nil && ctx.Err() == nil {
			b.log.Debug("sound daemon to program", "err", err)
		}
	})
	copying.Wait()
}

// complain logs a trouble once, until a program gets through or the trouble is another.
func (b *bridge) complain(what string, err error) {
	if errors.Is(err, io.EOF) { // it only looked whether the socket is there
		return
	}
	why := fmt.Sprintf("%s: %v", what, err)
	b.mu.Lock()
	quiet := b.trouble == why
	b.trouble = why
	b.mu.Unlock()
	if quiet {
		b.log.Debug(what, "err", err)
		return
	}
	b.log.Warn(what, "err", err)
}

func (b *bridge) content() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = ""
}
