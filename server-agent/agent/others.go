package agent

import (
	"context"
	"fmt"
	"os"

	"goldm/internal/agentwire"
	"goldm/internal/cli"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

// Elsewhere asks the daemon for the sessions on other servers, if there is one. What it cannot tell is said on
// standard error.
func Elsewhere(ctx context.Context, ask func(*control.Client, context.Context) ([]sessions.Session, string, error)) (list []sessions.Session, whole bool) {
	client, err := control.Dial(ctx, control.Path)
	if control.Absent(err) {
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
	elsewhere, whole := Elsewhere(ctx, (*control.Client).Others)
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
