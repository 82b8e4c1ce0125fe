package cli

import (
	"context"
	"fmt"
	"strings"
)

// Command is a subcommand of a Program.
type Command struct {
	Name    string
	Summary string // a few words for the program's --help; empty for internal use
	Run     func(ctx context.Context, args []string) error
}

// Program is a program with subcommands.
type Program struct {
	Name     string
	About    string // for --help
	Commands []Command

	// Default names the command that runs where the first argument is none:
	// missing or an option. Empty where there has to be one.
	Default string
}

// Run runs the command that args begin with; it suits Main.
func (p *Program) Run(ctx context.Context, args []string) error {
	name := p.Default
	if len(args) > 0 {
		switch {
		case args[0] == "--help" || args[0] == "-h":
			return p.help()
		case args[0] == "--version":
			return versionOutput(p.Name)
		case p.Default == "" || !strings.HasPrefix(args[0], "-"):
			name, args = args[0], args[1:]
		}
	}
	if name == "" {
		return Usagef("a command is missing; %s --help lists them", p.Name)
	}
	for _, c := range p.Commands {
		if c.Name == name {
			return c.Run(ctx, args)
		}
	}
	return p.unknown(name)
}

func (p *Program) unknown(name string) error {
	what := "command"
	if strings.HasPrefix(name, "-") {
		what = "option"
	}
	names := []string{"--help", "--version"}
	for _, c := range p.Commands {
		if c.Summary != "" {
			names = append(names, c.Name)
		}
	}
	if nearest := Nearest(name, names); nearest != "" {
		return Usagef("unknown %s %s; did you mean %s?", what, name, nearest)
	}
	return Usagef("unknown %s %s; %s --help shows the usage", what, name, p.Name)
}

func (p *Program) help() output {
	var b strings.Builder
	operands := "command [options]"
	if p.Default != "" {
		operands = "[command] [options]"
	}
	fmt.Fprintf(&b, "usage: %s %s\n\n%s\n\ncommands:\n", p.Name, operands, p.About)
	var lines [][2]string
	for _, c := range p.Commands {
		if c.Summary != "" {
			lines = append(lines, [2]string{c.Name, c.Summary})
		}
	}
	writeColumns(&b, lines)
	fmt.Fprintf(&b, "\n%s command --help shows a command's options.\n", p.Name)
	return output(b.String())
}
