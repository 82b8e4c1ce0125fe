// Command ldm-session carries a session on a server: a login's for ldm, or one
// that somebody starts by hand.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"goldm/internal/cli"
	"goldm/internal/heap"
	"goldm/internal/logs"
	"goldm/ldm/wire"
	"goldm/session/byhand"
	"goldm/session/filter"
	"goldm/session/probe"
	"goldm/session/worker"
)

// socket is the descriptor of our end of ldm's socketpair.
const socket = 3

func main() {
	heap.Tend()
	os.Exit(cli.Main(byhand.Name, run))
}

// run is ldm's worker, its probe or its filter if the one argument is that word. (A
// server of that name is reached as worker:22.)
func run(ctx context.Context, args []string) error {
	switch {
	case slices.Equal(args, []string{"worker"}):
		return serve(ctx, "worker", wire.Worker, worker.Run)
	case slices.Equal(args, []string{"probe"}):
		return serve(ctx, "probe", wire.Probe, probe.Run)
	case slices.Equal(args, []string{"filter"}):
		return serve(ctx, "filter", wire.Filter, filter.Run)
	}
	return byhand.Run(ctx, args)
}

// serve runs our end of ldm's socketpair.
func serve(ctx context.Context, name string, open func(*os.File) (*wire.Conn, error),
	run func(context.Context, *wire.Conn, *slog.Logger) error) error {
	conn, err := open(os.NewFile(socket, "ldm"))
	if err != nil {
		return fmt.Errorf("the %s is started by ldm, not by hand: %w", name, err)
	}
	log, closeLog := logs.Open(os.Stderr, slog.LevelInfo)
	defer closeLog()
	return run(ctx, conn, log)
}
