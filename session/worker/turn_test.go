package worker_test

import (
	"strings"
	"testing"

	"goldm/ldm/wire"
	"goldm/session/internal/sshtest"
)

func TestMessagesOutOfTurn(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	for name, send := range map[string]func(*daemon){
		"answer first": func(d *daemon) { d.answer("x") },
		"start first":  func(d *daemon) { d.send(&wire.Start{}) },
		"screen first": func(d *daemon) { d.send(d.screen) },
		"screen for an answer": func(d *daemon) {
			d.send(login(t, server))
			d.want(password)
			d.send(d.screen)
		},
		"screen for a start": func(d *daemon) {
			d.authenticate(login(t, server))
			d.send(d.screen)
		},
		"two starts": func(d *daemon) {
			d.authenticate(login(t, server))
			d.send(&wire.Start{})
			d.send(&wire.Start{})
		},
		"start for an answer": func(d *daemon) {
			d.send(login(t, server))
			d.want(password)
			d.send(&wire.Start{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t)
			send(d)
			if err := <-d.done; err == nil && !strings.Contains(d.log.String(), "message from ldm") {
				t.Errorf("Run = nil; the log:\n%s", d.log)
			}
		})
	}
}

// Until the screen is there no desktop starts, and a connection that is lost is a login that failed.
func TestLostBeforeStart(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) { t.Errorf("%s runs", e.Line) }})
	for _, prepare := range []func(*daemon){
		func(*daemon) {},
		func(d *daemon) { d.send(&wire.Start{}) },
	} {
		d := start(t)
		d.authenticate(login(t, server))
		prepare(d)
		server.Cut()
		d.want(&wire.Failed{Sentence: "The connection to the server " + server.Address() + " was lost. Log in again."})
		d.exits()
	}
}
