package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"goldm/internal/cli"
	"goldm/server-agent/agent"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

// listSessions lists the sessions for people and programs.
func listSessions(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent sessions", "",
		"Lists the desktop sessions, on this server and on the others of its cluster: one's\n"+
			"own, or as root all.")
	asJSON := flags.Bool("json", false, "for programs")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	list, err := sessions.List(ctx)
	if err != nil {
		return err
	}
	elsewhere, _ := agent.Elsewhere(ctx, (*control.Client).Sessions)
	list = append(list, elsewhere...)
	slices.SortStableFunc(list, func(a, b sessions.Session) int { return a.Began.Compare(b.Began) })
	if *asJSON {
		if list == nil {
			list = []sessions.Session{}
		}
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(list)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "USER\tCLIENT\tSERVER\tSINCE\tSESSION")
	for _, s := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.User, s.Client, s.Server, s.Began.Local().Format(time.DateTime), s.ID)
	}
	return table.Flush()
}
