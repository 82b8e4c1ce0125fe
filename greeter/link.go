package greeter

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"goldm/ldm/greetd"
)

// link is one connection to the daemon. It reads all the time, also while the
// person types, so that a daemon that goes away is noticed at once. It owns its
// goroutines: close waits for them.
type link struct {
	events   chan Event // Opened, Received…, Lost
	requests chan greetd.Request
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// dial begins to connect to the daemon's socket.
func dial(ctx context.Context, socket string) *link {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{
		events:   make(chan Event),
		requests: make(chan greetd.Request, 1), // no more than one is outstanding
		cancel:   cancel,
	}
	l.running.Go(func() {
		defer cancel()
		l.tell(ctx, Lost{l.run(ctx, socket)})
	})
	return l
}

// close ends the connection, which cancels a login that is under way.
func (l *link) close() {
	l.cancel()
	l.running.Wait()
}

func (l *link) tell(ctx context.Context, e Event) {
	select {
	case l.events <- e:
	case <-ctx.Done():
	}
}

func (l *link) run(ctx context.Context, socket string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	l.tell(ctx, Opened{})
	l.running.Go(func() { l.write(ctx, conn) })
	for {
		response, err := greetd.ReadResponse(conn)
		if err != nil {
			return fmt.Errorf("read response: %w", err)
		}
		l.tell(ctx, Received{response})
	}
}

// write sends requests until one cannot be sent, which closes the connection
// and so ends the reading.
func (l *link) write(ctx context.Context, conn io.WriteCloser) {
	for {
		select {
		case r := <-l.requests:
			if err := greetd.WriteRequest(conn, r); err != nil {
				conn.Close()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
