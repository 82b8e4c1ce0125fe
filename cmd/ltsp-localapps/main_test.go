package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goldm/internal/cli/clitest"
	"goldm/internal/x11/display"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
	"goldm/localapps"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){name: main})
}

// client acts like a client that has a few programs.
type client struct{}

func (client) Run(_ context.Context, r localapps.Request, report func(localapps.State)) {
	programs := map[string]int{"true": 0, "exit3": 3}
	status, ok := programs[r.Args[0]]
	if ok {
		report(localapps.State{Name: localapps.Started, PID: 7})
		report(localapps.State{Name: localapps.Exited, Status: status})
		return
	}
	switch r.Args[0] {
	case "sudo":
		report(localapps.State{Name: localapps.Denied, Reason: "Only games run on this client."})
	case "broken":
		report(localapps.State{Name: localapps.Failed, Reason: "Its file makes no sense."})
	case "show":
		report(localapps.State{Name: localapps.Failed, Reason: fmt.Sprintf("%q in %s for %q", r.Args[1:], r.Dir, r.Startup)})
	default:
		report(localapps.State{Name: localapps.NotFound})
	}
}

func TestScripts(t *testing.T) {
	x := xtest.Start(t)
	mailbox, err := localapps.Open(t.Context(), localapps.Config{
		Display: &display.Display{Number: x.Number, AuthName: xauth.MITMagicCookie, AuthData: x.Cookie},
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error)
	go func() { served <- mailbox.Serve(ctx, client{}) }()
	t.Cleanup(func() { // once the scripts, which run in parallel, have ended
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		mailbox.Close()
	})
	clitest.RunWith(t, func(env *testscript.Env) error {
		env.Setenv("DISPLAY", x.Display)
		env.Setenv("XAUTHORITY", x.Authority)
		env.Setenv("long", strings.Repeat("x", localapps.MaxArgs))
		env.Setenv("MAILBOX", fmt.Sprintf("%s %#x", x.Display, mailbox.Window()))
		return nil
	})
}
