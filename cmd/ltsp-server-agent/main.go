// Command ltsp-server-agent serves the sessions of thin clients on a server.
package main

import (
	"os"

	"goldm/internal/cli"
	"goldm/server-agent/agent"
)

func main() {
	program := agent.Program()
	os.Exit(cli.Main(program.Name, program.Run))
}
