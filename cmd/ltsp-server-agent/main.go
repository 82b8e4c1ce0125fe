// Command ltsp-server-agent serves the sessions of thin clients on a server.
package main

import (
	"os"

	"goldm/internal/cli"
	"goldm/server-agent/commands"
)

func main() {
	program := commands.Program()
	os.Exit(cli.Main(program.Name, program.Run))
}
