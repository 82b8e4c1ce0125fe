// Command fakeworker takes the place of ldm-session and hands its end of ldm's
// socket to a test, which is then the worker: see unix(7), SCM_RIGHTS.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"goldm/internal/cli"
	"goldm/ldm/wire"
	"goldm/session/filter"
)

const (
	noFilter = "/tmp/no-filter"         // while it is there, filters do not start
	fromLDM  = 3                        // the descriptor of ldm's socket
	socket   = "/tmp/fakeworker.socket" // where the test listens
)

func main() { os.Exit(cli.Main("fakeworker", run)) }

// probe watches nothing, and lives.
func probe(ctx context.Context) error {
	conn, err := wire.Probe(os.NewFile(fromLDM, "ldm"))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for {
		message, err := conn.Receive()
		if err != nil {
			return nil
		}
		if ping, ok := message.(*wire.Ping); ok {
			conn.Send(&wire.Pong{ID: ping.ID})
		}
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == "probe" {
		return probe(ctx)
	}
	if len(args) == 1 && args[0] == "filter" { // the worker alone is the test's
		if _, err := os.Stat(noFilter); err == nil {
			return errors.New("there is no filter")
		}
		conn, err := wire.Filter(os.NewFile(fromLDM, "ldm"))
		if err != nil {
			return err
		}
		return filter.Run(ctx, conn, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fromLDM), nil); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	unix.Close(fromLDM)
	conn.Read(make([]byte, 1)) // until the test has had enough
	return nil
}
