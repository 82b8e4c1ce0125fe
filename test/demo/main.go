// Command goldm-demo shows the main job on this machine: a thin client, its
// server, a login and a desktop. With a display the login screen waits there
// for a person; without one the demo types like a person, and leaves pictures.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"goldm/internal/cli"
	"goldm/internal/testbed"
)

func main() {
	testbed.Init()
	os.Exit(cli.Main("goldm-demo", run))
}

func run(ctx context.Context, args []string) error {
	flags := cli.NewFlags("goldm-demo", "", "Show a thin client and its server on this machine.")
	prepare := flags.Bool("prepare", false, "only build the Debian tree that both are made of")
	display := flags.String("display", os.Getenv("DISPLAY"), "show the client on the X `DISPLAY`; empty for pictures")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Dir(self) // where make build has put the programs
	switch {
	case *prepare:
		return testbed.Prepare(ctx, testbed.Config{})
	case *display != "":
		return showWindow(ctx, bin, *display)
	}
	err = playAlone(ctx, bin, filepath.Join(bin, "demo"))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx) // whatever it was doing
	}
	return fmt.Errorf("the demo stopped %w", err)
}
