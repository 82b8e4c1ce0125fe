package commands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"goldm/internal/cli"
	"goldm/server-agent/control"
)

// drain lets no new logins in.
func drain(ctx context.Context, args []string) error {
	return setDrained(ctx, args, true, cli.NewFlags("ltsp-server-agent drain", "",
		"Lets no new logins in on this server, until undrain; the sessions that are there\n"+
			"stay. Clients that have other servers choose one of these."))
}

// undrain lets them in again.
func undrain(ctx context.Context, args []string) error {
	return setDrained(ctx, args, false, cli.NewFlags("ltsp-server-agent undrain", "",
		"Lets new logins in again after drain."))
}

// setDrained goes by the daemon, and where there is none by the file that it would write.
func setDrained(ctx context.Context, args []string, drained bool, flags *cli.Flags) error {
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	client, err := control.Dial(ctx, control.Path)
	if err == nil {
		defer client.Close()
		return client.Drain(ctx, drained)
	}
	if !control.Absent(err) {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	err = control.SetDrained(control.DrainFile, drained)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("only root may do that")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; it takes a server where ltsp-server-agent serve has run", err)
	case err == nil:
		fmt.Fprintln(os.Stderr, "ltsp-server-agent: serve does not run here, so clients are not told; logins heed it")
	}
	return err
}
