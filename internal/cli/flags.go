package cli

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// Flags are the options of a command, defined with the methods of the
// flag.FlagSet inside and read as GNU's getopt_long would: `--name=value`, `--name
// value`, `-i value` for names of one letter, options and operands in any
// order, `--` before operands only.
type Flags struct {
	*flag.FlagSet
	name     string // of the command as typed, such as "ldm check"
	operands string // what follows the options, for --help
	about    string
	command  bool // set by EndAtOperand
}

// NewFlags returns the options of the command name: none but --help and
// --version. operands and about go into the text of --help.
func NewFlags(name, operands, about string) *Flags {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return &Flags{FlagSet: set, name: name, operands: operands, about: about}
}

// EndAtOperand makes Parse take no options after the first operand, which is
// another command, whose options these are.
func (f *Flags) EndAtOperand() { f.command = true }

// Parse sets the options that args name and returns the operands. Main
// prints the error, whether it is a mistake or the answer to --help.
func (f *Flags) Parse(args []string) (operands []string, err error) {
	for len(args) > 0 {
		if f.command && len(operands) > 0 {
			return append(operands, args...), nil
		}
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(operands, args...), nil
		case len(arg) < 2 || arg[0] != '-':
			operands = append(operands, arg)
		default:
			if args, err = f.option(arg, args); err != nil {
				return nil, err
			}
		}
	}
	return operands, nil
}

// NoOperands is Parse for commands that take options only.
func (f *Flags) NoOperands(args []string) error {
	operands, err := f.Parse(args)
	if err == nil && len(operands) > 0 {
		err = Usagef("unexpected argument %q; %s --help shows the usage", operands[0], f.name)
	}
	return err
}

// option sets the option arg, whose value may be the first of the arguments
// that follow, and returns those that are left.
func (f *Flags) option(arg string, rest []string) ([]string, error) {
	typed, value, hasValue := strings.Cut(arg, "=")
	switch typed {
	case "--help", "-h":
		return nil, f.help()
	case "--version":
		return nil, versionOutput(f.name)
	}
	option := f.lookup(typed)
	if option == nil {
		return nil, f.unknown(typed)
	}
	if !hasValue {
		switch {
		case isBool(option):
			value = "true"
		case len(rest) == 0:
			return nil, Usagef("option %s needs a value", typed)
		default:
			value, rest = rest[0], rest[1:]
		}
	}
	if err := f.Set(option.Name, value); err != nil {
		return nil, Usagef("option %s %q: %w", typed, value, err)
	}
	return rest, nil
}

// lookup finds the option that was typed as --name, or as -n.
func (f *Flags) lookup(typed string) *flag.Flag {
	name, long := strings.CutPrefix(typed, "--")
	if !long {
		name = typed[1:]
	}
	if long != (len(name) > 1) {
		return nil
	}
	return f.Lookup(name)
}

func (f *Flags) unknown(typed string) error {
	names := []string{"--help", "--version"}
	f.VisitAll(func(option *flag.Flag) { names = append(names, dashed(option)) })
	if nearest := Nearest(typed, names); nearest != "" {
		return Usagef("unknown option %s; did you mean %s?", typed, nearest)
	}
	return Usagef("unknown option %s; %s --help lists them", typed, f.name)
}

func (f *Flags) help() output {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s\n\n%s\n\noptions:\n",
		strings.TrimSpace(f.name+" [options] "+f.operands), f.about)
	var lines [][2]string
	f.VisitAll(func(option *flag.Flag) {
		placeholder, about := flag.UnquoteUsage(option)
		lines = append(lines, [2]string{strings.TrimSpace(dashed(option) + " " + placeholder), about})
	})
	lines = append(lines,
		[2]string{"--help", "print this text and exit"},
		[2]string{"--version", "print the version and exit"})
	writeColumns(&b, lines)
	return output(b.String())
}

// writeColumns writes two columns, the first as wide as its longest entry.
func writeColumns(b *strings.Builder, lines [][2]string) {
	width := 0
	for _, line := range lines {
		width = max(width, len(line[0]))
	}
	for _, line := range lines {
		fmt.Fprintf(b, "  %-*s  %s\n", width, line[0], line[1])
	}
}

// dashed returns an option's name as it is typed.
func dashed(option *flag.Flag) string {
	if len(option.Name) == 1 {
		return "-" + option.Name
	}
	return "--" + option.Name
}

func isBool(option *flag.Flag) bool {
	value, ok := option.Value.(interface{ IsBoolFlag() bool })
	return ok && value.IsBoolFlag()
}
