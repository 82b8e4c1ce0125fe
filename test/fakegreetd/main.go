// Command fakegreetd is a daemon to write greeters against: it speaks greetd's IPC
// with a greeter that it starts, without root, and nobody is logged in.
//
//	go run ./test/fakegreetd -- bin/ldm-greeter
//
// Each step of the greeter is a line on standard output; answers are not shown.
// users.go says who can log in and with which answers.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"goldm/internal/cli"
)

func main() { os.Exit(cli.Main("fakegreetd", run)) }

func run(ctx context.Context, args []string) error {
	flags := cli.NewFlags("fakegreetd", "[--] greeter [argument…]",
		"Runs a greeter against a daemon that logs nobody in. Its users: "+userNames()+". Its accounts: "+accountNames()+".")
	var seat seat
	flags.StringVar(&seat.guest, "guest", "", "offer a guest's login, with an `account`")
	flags.StringVar(&seat.automatic, "automatic", "", "the `account` of automatic logins; the guest's if none is given")
	flags.IntVar(&seat.after, "after", -1, "offer an automatic login after so many `seconds`")
	socket := flags.String("socket", "", "where to listen, a `path`; in a temporary folder if none is given")
	greeter, err := flags.Parse(args)
	if err != nil {
		return err
	}
	if len(greeter) == 0 {
		return cli.Usagef("which greeter? Name its command")
	}
	if *socket == "" {
		dir, err := os.MkdirTemp("", "fakegreetd")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*socket = filepath.Join(dir, "greetd.sock")
	}
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		return err
	}
	d := newDaemon(seat, listener, os.Stdout)
	defer d.close()
	return start(ctx, greeter, *socket)
}

// start runs the greeter and returns its exit status as an error.
func start(ctx context.Context, greeter []string, socket string) error {
	cmd := exec.CommandContext(ctx, greeter[0], greeter[1:]...)
	cmd.Env = append(os.Environ(), "GREETD_SOCK="+socket)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return cli.Exit(exit.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("greeter: %w", err)
	}
	return nil
}
