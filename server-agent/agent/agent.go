// Package agent is the command line of ltsp-server-agent: its subcommands, each
// wired to the package that does its duty.
package agent

import (
	"goldm/internal/cli"
	"goldm/server-agent/sessions"
)

// Program returns the program with its subcommands.
func Program() *cli.Program {
	return &cli.Program{
		Name:  "ltsp-server-agent",
		About: "The part of an LTSP server that thin clients' sessions talk to.",
		Commands: []cli.Command{
			{Name: "session", Summary: "run a desktop for the client at standard input, and end all of it", Run: session},
			{Name: "info", Summary: "print what this server tells its clients", Run: showInfo},
			{Name: "serve", Summary: "tell clients what this server offers and how loaded it is", Run: serveClients},
			{Name: "sessions", Summary: "list the sessions on this server and the others of its cluster", Run: listSessions},
			{Name: "end", Summary: "end sessions of that list", Run: end},
			{Name: "drain", Summary: "let no new logins in on this server", Run: drain},
			{Name: "undrain", Summary: "let new logins in again", Run: undrain},
			{Name: "check", Summary: "print the daemon's settings, and what is wrong with them", Run: check},
			{Name: "host-keys", Summary: "print this server's host keys for its clients' known_hosts", Run: hostKeys},

			// For internal use.
			{Name: "keep", Run: keep},
			{Name: sessions.Desktop, Run: desktop},
			{Name: "others", Run: others},
			{Name: "hold", Run: holdFile},
			{Name: "x11", Run: showX11},
		},
	}
}
