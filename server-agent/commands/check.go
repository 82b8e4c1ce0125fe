package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"goldm/internal/cli"
	"goldm/server-agent/cluster"
	"goldm/server-agent/settings"
)

// check prints the settings of the daemon, and what is wrong with them.
func check(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent check", "",
		"Prints the settings of the daemon as they take effect. Where something is wrong\n"+
			"with their file it says so, with the line and what was expected, and exits with 1.")
	path := flags.String("config", settings.Path, "the configuration `file`")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	s, problems, err := settings.Load(*path)
	if err != nil {
		return err
	}
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	if s.Cluster != "" {
		if _, err := cluster.TLS(s.CA, s.Cert, s.Key); err != nil {
			lines = append(lines, *path+": "+err.Error())
		}
	}
	if err := printSettings(s); err != nil {
		return err
	}
	if len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	return nil
}

func printSettings(s settings.Settings) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	row := func(name, value string) {
		if value == "" {
			value = "none"
		}
		fmt.Fprintf(table, "%s\t= %s\n", name, value)
	}
	row("listen", strings.Join(s.Listen, " "))
	row("listen-http", strings.Join(s.ListenHTTP, " "))
	row("metrics", s.Metrics)
	row("name", ownName(s))
	row("address", strings.Join(ownHosts(s), " "))
	row("ssh-port", fmt.Sprint(s.SSHPort))
	row("cluster", s.Cluster)
	if s.Cluster != "" {
		row("endpoints", strings.Join(s.Endpoints, " "))
		row("ca", s.CA)
		row("cert", s.Cert)
		row("key", s.Key)
		row("prefix", s.Prefix)
		row("lease", fmt.Sprint(int(s.Lease.Seconds())))
	}
	return table.Flush()
}

// ownName is the name of this server in the cluster.
func ownName(s settings.Settings) string {
	if s.Name != "" {
		return s.Name
	}
	name, err := os.Hostname()
	if err != nil || !settings.IsHost(name) {
		return "localhost"
	}
	return strings.ToLower(name)
}

// ownHosts is where clients reach this server.
func ownHosts(s settings.Settings) []string {
	if len(s.Address) > 0 {
		return s.Address
	}
	return []string{ownName(s)}
}
