package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"goldm/internal/cli"
	"goldm/internal/infowire"
	"goldm/server-agent/control"
	"goldm/server-agent/info"
	"goldm/server-agent/xsessions"
)

// capabilities are what clients can count on in a session with this agent.
var capabilities = []string{"session", "local-menu", "one-session"}

// newSource returns what knows about this server.
func newSource() *info.Source {
	return info.New(info.Config{
		Version:      cli.ProgramVersion(),
		Capabilities: capabilities,
		DataDirs:     xsessions.Dirs(os.Getenv("XDG_DATA_DIRS")),
	})
}

// showInfo prints what clients are told.
func showInfo(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent info", "",
		"Prints what this server tells its clients before anybody has logged in, and on\n"+
			"standard error what could not be found out.")
	asJSON := flags.Bool("json", false, "print what clients get, for programs")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	source := newSource()
	source.Drained = func() bool { return !control.DrainedSince(control.DrainFile).IsZero() }
	state := daemonState(ctx)
	if state != nil {
		source.Drained = func() bool { return state.Drained }
		source.Servers = func() []string { return addresses(state.Servers) }
	}
	known := source.Get(ctx)
	for _, problem := range known.Problems {
		fmt.Fprintln(os.Stderr, "ltsp-server-agent:", problem)
	}
	if !*asJSON {
		return printInfo(os.Stdout, known.Info, state)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(known.Info)
}

// daemonState asks the daemon how it is; nil where there is none.
func daemonState(ctx context.Context) *control.Info {
	client, err := control.Dial(ctx, control.Path)
	if err != nil {
		return nil
	}
	defer client.Close()
	state, err := client.Info(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ltsp-server-agent: the server's daemon cannot be asked:", err)
	}
	return state
}

// addresses is where clients find other servers.
func addresses(others []control.Other) []string {
	var found []string
	for _, o := range others[:min(len(others), infowire.MaxServers)] {
		if len(o.Hosts) > 0 {
			found = append(found, address(o.Hosts[0], o.Port))
		}
	}
	return found
}

// printInfo writes it for people, with the daemon's state where that is known.
func printInfo(w io.Writer, i infowire.Info, state *control.Info) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, format string, a ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", a...) }
	row("version", "%s", i.Agent)
	row("rating", "%s of 100", number(i.Rating))
	if i.Drained {
		row("drained", "yes: new logins go elsewhere")
	}
	row("running", "%s sessions", number(i.Running))
	if l := i.Load; l != nil {
		row("load", "%.2f %.2f %.2f on %d processors", l.One, l.Five, l.Fifteen, l.CPUs)
	}
	if m := i.Memory; m != nil {
		row("memory", "%d of %d MiB available", m.Available>>20, m.Total>>20)
	}
	if p := i.Pressure; p != nil {
		row("pressure", "%.1f%% processors, %.1f%% memory, %.1f%% disks", p.CPU, p.Memory, p.IO)
	}
	for _, s := range i.Sessions {
		row("session", "%s: %s (%s)", s.ID, s.Name, strings.Join(s.Exec, " "))
	}
	for _, l := range i.Languages {
		row("language", "%s", l)
	}
	if k := i.Keyboard; k != nil {
		row("keyboard", "%s", strings.Join(strings.Fields(strings.Join([]string{k.Model, k.Layout, k.Variant, k.Options}, " ")), " "))
	}
	if state != nil {
		row("cluster", "%s", state.Cluster)
		for _, o := range state.Servers {
			drained := ""
			if o.Drained {
				drained = ", drained"
			}
			row("server", "%s: %s, rating %s, %d sessions%s", o.Name, strings.Join(o.Hosts, " "), number(o.Rating), o.Sessions, drained)
		}
	}
	row("capability", "%s", cmp.Or(strings.Join(i.Capabilities, " "), "none"))
	return table.Flush()
}

func number(n int) string {
	if n == infowire.Unknown {
		return "unknown"
	}
	return fmt.Sprint(n)
}
