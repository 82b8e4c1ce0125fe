package commands

import (
	"context"
	"errors"
	"fmt"

	"goldm/internal/cli"
	"goldm/server-agent/control"
)

// end ends sessions, on whatever server of the cluster.
func end(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent end", "session...",
		"Ends sessions, which ltsp-server-agent sessions lists by these numbers, and waits\n"+
			"for that: one's own, or as root anybody's, on this server and on the others of\n"+
			"its cluster.")
	ids, err := flags.Parse(args)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return cli.Usagef("a session is missing; ltsp-server-agent sessions lists them")
	}
	client, err := control.Dial(ctx, control.Path)
	if control.Absent(err) {
		return errors.New("ltsp-server-agent serve does not run here")
	}
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	defer client.Close()
	var failed error
	for _, id := range ids {
		err := client.EndSession(ctx, id)
		failed = errors.Join(failed, err)
		if _, refused := errors.AsType[*control.RefusedError](err); err != nil && !refused {
			break // the daemon has gone
		}
	}
	return failed
}
