package agent

import (
	"context"
	"errors"
	"os"

	"goldm/internal/cli"
	"goldm/server-agent/hold"
	"goldm/server-agent/sessions"
)

// exitBusy is EX_TEMPFAIL of sysexits.h.
const exitBusy = 75

// holdFile is what a client's worker runs for a program there that locks a file.
func holdFile(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("hold wants one file")
	}
	name(sessions.Wrapper)
	err := hold.File(ctx, args[0], os.Stdin, os.Stdout)
	if errors.Is(err, hold.ErrBusy) {
		return cli.Exit(exitBusy)
	}
	return err
}
