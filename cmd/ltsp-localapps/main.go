// Command ltsp-localapps asks the client that shows this display to run a program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"goldm/internal/cli"
	"goldm/localapps"
)

const name = "ltsp-localapps"

// The exit statuses that are no program's; the first two are a shell's own.
const (
	statusDenied   = 126
	statusNotFound = 127
	statusNoAgent  = 69 // EX_UNAVAILABLE, sysexits.h
)

const about = `Asks the client that shows this display to run a program there, as the user who
is logged in. A command of one word is split as a shell would, unless it comes
after --. The exit status is 0 once the program has started, 126 where the
client does not allow it, 127 where it is not there, and 69 where no client listens.`

func main() { os.Exit(cli.Main(name, run)) }

func run(ctx context.Context, args []string) error {
	r, err := parse(args)
	if err != nil {
		return err
	}
	r.Dir, _ = os.Getwd() // where there is none, the client chooses
	r.Startup = os.Getenv("DESKTOP_STARTUP_ID")
	asker, err := localapps.Dial(ctx, os.Getenv)
	if err != nil {
		return failed(err)
	}
	defer asker.Close()
	state, err := asker.Ask(ctx, r, nil)
	if err != nil {
		return failed(err)
	}
	if state.Name != localapps.Started && state.Name != localapps.Exited {
		asker.EndStartup(r.Startup) // if that fails, the verdict matters more
	}
	return verdict(r.Args[0], state)
}

func parse(args []string) (localapps.Request, error) {
	var r localapps.Request
	flags := cli.NewFlags(name, "command [arg...]", about)
	flags.BoolVar(&r.Wait, "wait", false, "wait for the program's end and exit with its status")
	flags.EndAtOperand()
	command, err := flags.Parse(args)
	if err != nil {
		return r, err
	}
	r.Args = command
	whole := len(args) > 1 && args[len(args)-2] == "--"
	if len(command) == 1 && !whole && strings.ContainsAny(command[0], " \t\n'\"\\") {
		if r.Args, err = localapps.SplitWords(command[0]); err != nil {
			return r, cli.Usagef("command %q: %w", command[0], err)
		}
	}
	if len(r.Args) == 0 || slices.Equal(r.Args, []string{""}) {
		return r, cli.Usagef("a command is missing; %s --help shows the usage", name)
	}
	return r, nil
}

// failed gives an error its exit status.
func failed(err error) error {
	if errors.Is(err, localapps.ErrNoAgent) {
		return &cli.ExitError{Code: statusNoAgent, Err: err}
	}
	if bad, ok := errors.AsType[*localapps.BadRequest](err); ok {
		return cli.Usage(bad)
	}
	return err
}

// verdict makes an exit status of what became of the program.
func verdict(program string, s localapps.State) error {
	switch s.Name {
	case localapps.Started:
		return nil
	case localapps.Exited:
		return cli.Exit(s.Status & 0xff)
	case localapps.NotFound:
		return &cli.ExitError{Code: statusNotFound, Err: reason(program+" is not on the client", s)}
	case localapps.Failed:
		return &cli.ExitError{Code: statusDenied, Err: reason("the client could not start "+program, s)}
	}
	return &cli.ExitError{Code: statusDenied, Err: reason("denied by the client", s)}
}

func reason(what string, s localapps.State) error {
	if s.Reason == "" {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %s", what, s.Reason)
}
