package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/cli"
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
	elsewhere, _ := known(ctx, (*control.Client).Sessions)
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

// known asks the daemon for the sessions on other servers, if there is one. What it cannot tell is said on
// standard error.
func known(ctx context.Context, ask func(*control.Client, context.Context) ([]sessions.Session, string, error)) (list []sessions.Session, whole bool) {
	client, err := control.Dial(ctx, control.Path)
	if absent(err) {
		return nil, true
	}
	warning := ""
	if err == nil {
		defer client.Close()
		list, warning, err = ask(client, ctx)
	}
	if err != nil {
		warning = "the server's daemon cannot be asked: " + err.Error()
	}
	if warning != "" {
		fmt.Fprintln(os.Stderr, "ltsp-server-agent: sessions on other servers may be missing:", warning)
	}
	return list, warning == ""
}

// maxOthers bounds the sessions that a client is told of.
const maxOthers = 5

// others tells a client that has logged in of its user's other sessions.
func others(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent others", "",
		"Says to a client which other sessions the user has.")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	list, err := sessions.Others(ctx, "")
	if err != nil {
		return err
	}
	elsewhere, whole := known(ctx, (*control.Client).Others)
	list = append(list, elsewhere...)
	return agentwire.Write(os.Stdout, &agentwire.Others{List: told(list), Missing: !whole})
}

// told is what a client is told of sessions.
func told(list []sessions.Session) []agentwire.Session {
	var out []agentwire.Session
	for _, s := range list[:min(len(list), maxOthers)] {
		out = append(out, agentwire.Session{Client: s.Client, Server: s.Server, Began: s.Began})
	}
	return out
}
