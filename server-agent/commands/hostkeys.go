package commands

import (
	"context"
	"fmt"
	"strings"

	"goldm/internal/cli"
	"goldm/server-agent/hostkeys"
)

// hostKeys is run by an administrator who makes a client's image.
func hostKeys(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent host-keys", "",
		"Prints this server's host keys as lines for /etc/ssh/ssh_known_hosts on its\n"+
			"clients. Without --name: for its host names and its addresses.")
	name := flags.String("name", "", "the `names` by which clients know this server, with commas between them")
	port := flags.Int("port", 22, "the `port` on which sshd listens")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	if *port < 1 || *port > 65535 {
		return cli.Usagef("option --port %d: no port", *port)
	}
	names := strings.Split(*name, ",")
	if *name == "" {
		var err error
		if names, err = hostkeys.Names(ctx); err != nil {
			return err
		}
	}
	lines, err := hostkeys.Lines(hostkeys.Folder, names, *port)
	if err != nil {
		return err
	}
	_, err = fmt.Print(lines)
	return err
}
