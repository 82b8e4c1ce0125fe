// Command ltsp-session-agent is what ltsp-server-agent becomes for each session.
package main

import (
	"os"

	"goldm/internal/cli"
	"goldm/server-agent/agent"
)

func main() {
	// Its messages are those of the command that was typed.
	os.Exit(cli.Main("ltsp-server-agent", agent.Run))
}
