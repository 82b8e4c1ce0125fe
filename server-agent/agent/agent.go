// Package agent is what runs for each session on a server. Of these processes there are many, so
// it reaches no library that only the daemon needs (docs/decisions/0008-two-programs.md).
package agent

import (
	"context"
	"fmt"
	"os"

	"goldm/internal/cli"
	"goldm/server-agent/sessions"
)

// Name is the program that has these commands only.
const Name = "ltsp-session-agent"

// Commands returns the commands, as ltsp-server-agent has them.
func Commands() []cli.Command {
	return []cli.Command{
		{Name: "session", Summary: "run a desktop for the client at standard input, and end all of it", Run: session},

		// For internal use.
		{Name: "keep", Run: keep},
		{Name: sessions.Desktop, Run: desktop},
		{Name: "others", Run: others},
		{Name: "hold", Run: holdFile},
		{Name: "x11", Run: showX11},
	}
}

const about = "What ltsp-server-agent becomes where a session stays with it, so that the session takes\n" +
	"less memory. It is not for people: ltsp-server-agent runs it, and does without it."

// Run is the program of that name; it suits cli.Main.
func Run(ctx context.Context, args []string) error {
	for _, c := range Commands() {
		if len(args) > 0 && args[0] == c.Name {
			return c.Run(ctx, args[1:])
		}
	}
	if _, err := cli.NewFlags(Name, "command", about).Parse(args); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "usage: %s command\n\n%s\n", Name, about)
	return cli.Exit(cli.StatusUsage)
}
