// Command ldm-greeter is the login screen, and the window in which ldm-session asks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"goldm/greeter"
	"goldm/greeter/gtk"
	"goldm/internal/cli"
	"goldm/internal/failure"
	"goldm/internal/logs"
	"goldm/internal/privs"
	"goldm/internal/text"
)

const about = `The login screen of ldm, which starts it, or of any daemon that speaks greetd's
protocol on the socket named in GREETD_SOCK.

With --ask it shows the text on standard input in a small window and prints the
answer; the exit status is 1 if there is none.`

func main() { os.Exit(cli.Main("ldm-greeter", run)) }

func run(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ldm-greeter", "", about)
	ask := flags.Bool("ask", false, "ask one question, the text on standard input")
	secret := flags.Bool("secret", false, "with --ask: hide the answer while it is typed")
	visible := flags.Bool("visible", false, "with --ask: show it (the default)")
	notice := flags.Bool("notice", false, "with --ask: only show the text, until Enter")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	chosen := count(*secret, *visible, *notice)
	if chosen > 1 || chosen == 1 && !*ask {
		return cli.Usagef("--secret, --visible and --notice go with --ask, one at a time")
	}
	if err := privs.Conceal(); err != nil {
		return err
	}
	switch {
	case !*ask:
		return login(ctx)
	case *secret:
		return question(ctx, greeter.Secret)
	case *notice:
		return question(ctx, greeter.Locked)
	}
	return question(ctx, greeter.Visible)
}

func count(flags ...bool) int {
	n := 0
	for _, set := range flags {
		if set {
			n++
		}
	}
	return n
}

// startWithin is how long GTK may take to start, from a network's file system on an old machine.
const startWithin = time.Minute

func login(ctx context.Context) error {
	socket := os.Getenv("GREETD_SOCK")
	if socket == "" {
		return failure.New(nil, "GREETD_SOCK is not set: the login screen is started by ldm, not by hand.")
	}
	hostname, err := os.Hostname()
	if err != nil {
		return err
	}
	log, closeLog := logs.Open(os.Stderr, slog.LevelInfo)
	defer closeLog()
	pulse := greeter.OpenPulse()
	pulse.Beat(startWithin)
	return gtk.Login(ctx, greeter.Config{Socket: socket, Hostname: hostname, Pulse: pulse, Log: log})
}

// Bounds of a question's text, in bytes and in runes.
const (
	maxInput = 64 << 10
	maxText  = 6000
)

func question(ctx context.Context, entry greeter.Entry) error {
	input, err := io.ReadAll(io.LimitReader(os.Stdin, maxInput))
	if err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	answer, err := gtk.Ask(ctx, text.Harmless(string(input), maxText), entry)
	if errors.Is(err, gtk.ErrCancelled) {
		return cli.Exit(1)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(os.Stdout, answer)
	return err
}
