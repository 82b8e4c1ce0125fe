package session_test

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"

	"goldm/session"
	"goldm/session/internal/sshtest"
)

// A server may forward no sockets, and may not open channels for sockets that it
// was not asked for, before and after it was asked for another.
func TestForwardUnixRefused(t *testing.T) {
	opened := make(chan error, 2)
	_, client := serving(t, func(e *sshtest.Exec) {
		opened <- e.Open("forwarded-streamlocal@openssh.com")
		e.Exit(0)
	})
	forward := session.UnixForward{
		Path:  "/run/user/1000/native",
		Limit: 1,
		Serve: func(context.Context, ssh.Channel) { t.Error("a program was served") },
	}
	for _, when := range []string{"before", "after"} {
		process := client.Command(session.Cmd{Line: "true"})
		if err := process.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err == nil {
			t.Errorf("%s: the server's channel was accepted", when)
		}
		if err := process.Wait(); err != nil {
			t.Error(err)
		}
		if err := client.ForwardUnix(forward); !errors.Is(err, session.ErrNoSockets) {
			t.Errorf("%s: got %v, want %v", when, err, session.ErrNoSockets)
		}
	}
	client.Close()
	if err := client.ForwardUnix(forward); err == nil {
		t.Error("a closed client forwards")
	}
}
