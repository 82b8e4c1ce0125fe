// Package commands is the command line of ltsp-server-agent: its subcommands, each wired to the
// package that does its duty. Those that run for each session are in server-agent/agent.
package commands

import (
	"slices"

	"goldm/internal/cli"
	"goldm/server-agent/agent"
)

// Program returns the program with its subcommands.
func Program() *cli.Program {
	return &cli.Program{
		Name:  "ltsp-server-agent",
		About: "The part of an LTSP server that thin clients' sessions talk to.",
		Commands: append(ofSessions(),
			cli.Command{Name: "info", Summary: "print what this server tells its clients", Run: showInfo},
			cli.Command{Name: "serve", Summary: "tell clients what this server offers and how loaded it is", Run: serveClients},
			cli.Command{Name: "sessions", Summary: "list the sessions on this server and the others of its cluster", Run: listSessions},
			cli.Command{Name: "end", Summary: "end sessions of that list", Run: end},
			cli.Command{Name: "drain", Summary: "let no new logins in on this server", Run: drain},
			cli.Command{Name: "undrain", Summary: "let new logins in again", Run: undrain},
			cli.Command{Name: "check", Summary: "print the daemon's settings, and what is wrong with them", Run: check},
			cli.Command{Name: "host-keys", Summary: "print this server's host keys for its clients' known_hosts", Run: hostKeys},
		),
	}
}

// lasting are the commands that stay for as long as a session, or a lock in it. The processes that
// session starts are of the program that it has become.
var lasting = []string{"session", "hold", "x11"}

// ofSessions returns the commands that run for each session.
func ofSessions() []cli.Command {
	all := agent.Commands()
	for i, c := range all {
		if slices.Contains(lasting, c.Name) {
			all[i].Run = lean(c.Run)
		}
	}
	return all
}
