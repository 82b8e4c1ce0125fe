package session_test

import (
	"bytes"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/via"
	"goldm/session"
	"goldm/session/internal/sshtest"
	"goldm/session/x11"
	"goldm/session/xproxy"
)

// showing logs in to a server whose accelerator is played by farHalf, and returns what is logged.
func showing(t *testing.T, farHalf func(*sshtest.Exec)) (*session.Client, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	server := sshtest.Start(t, sshtest.Config{Exec: farHalf, Accelerator: farHalf != nil})
	client, err := dial(t, server, func(c *session.Config) {
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		c.LongLink = 1 // even this one
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, log
}

func aDisplay(t *testing.T) *x11.Display {
	return &x11.Display{Path: filepath.Join(t.TempDir(), "X"), Screen: 1}
}

// playFarHalf says where the display is, and then what becomes of the stream.
func playFarHalf(place xproxy.Place, gone chan<- struct{}) func(*sshtest.Exec) {
	return func(e *sshtest.Exec) {
		defer close(gone)
		io.WriteString(e, "Welcome to the school!\n")
		if _, err := xproxy.Await(e); err != nil {
			return
		}
		xproxy.Answer(e, place)
		io.Copy(io.Discard, e)
	}
}

func TestShowAccelerated(t *testing.T) {
	for _, way := range []via.Way{via.Auto, via.Accelerated} {
		gone := make(chan struct{})
		client, log := showing(t, playFarHalf(xproxy.Place{Display: ":100", Authority: "/run/a b/Xauthority"}, gone))
		shown, err := client.Show(t.Context(), aDisplay(t), way)
		if err != nil || shown.Forwarded() != nil {
			t.Fatalf("%v: %+v, %v", way, shown, err)
		}
		if d := cmp.Diff(map[string]string{"DISPLAY": ":100.1", "XAUTHORITY": "/run/a b/Xauthority"}, shown.Env()); d != "" {
			t.Error(d)
		}
		shown.Remove()
		shown.Remove()
		<-gone
		if client.Err() != nil || log.Len() != 0 {
			t.Errorf("%v: %v, %s", way, client.Err(), log)
		}
	}
}

// Where the accelerator cannot be had the display is forwarded, at once. That is told where
// somebody asked for it, or where something is wrong.
func TestShowFallsBack(t *testing.T) {
	place := func(p xproxy.Place) func(*sshtest.Exec) {
		return func(e *sshtest.Exec) { playFarHalf(p, make(chan struct{}))(e) }
	}
	for name, tt := range map[string]struct {
		farHalf   func(*sshtest.Exec)
		autoTells bool
	}{
		"no agent":      {nil, false},
		"an old agent":  {func(e *sshtest.Exec) { io.WriteString(e.Stderr(), "unknown command\n"); e.Exit(2) }, false},
		"no room":       {place(xproxy.Place{Error: "no display number is free"}), true},
		"an odd number": {place(xproxy.Place{Display: "evil:0", Authority: "/a"}), true},
		"an odd file":   {place(xproxy.Place{Display: ":100", Authority: "/a\nb"}), true},
		"no path":       {place(xproxy.Place{Display: ":100", Authority: "a"}), true},
	} {
		for _, way := range []via.Way{via.Auto, via.Accelerated} {
			client, log := showing(t, tt.farHalf)
			began := time.Now()
			display := aDisplay(t)
			shown, err := client.Show(t.Context(), display, way)
			if err != nil || shown.Forwarded() != display || shown.Env() != nil {
				t.Fatalf("%s, %v: %+v, %v", name, way, shown, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: it took %v", name, took)
			}
			if lines, want := strings.Count(log.String(), "\n"), way == via.Accelerated || tt.autoTells; (lines == 1) != want || lines > 1 {
				t.Errorf("%s, %v: the log has %s", name, way, log)
			}
		}
	}
}

func TestShowForwarded(t *testing.T) {
	client, _ := showing(t, func(*sshtest.Exec) { t.Error("a command runs") })
	display := aDisplay(t)
	if shown, err := client.Show(t.Context(), display, via.Forwarded); err != nil || shown.Forwarded() != display {
		t.Errorf("%+v, %v", shown, err)
	}
	if shown, err := client.Show(t.Context(), nil, via.Auto); err != nil || shown.Forwarded() != nil || shown.Env() != nil {
		t.Errorf("no display: %+v, %v", shown, err)
	}
}

// Over a short link nothing is gained, and nothing is tried.
func TestShowOverAShortLink(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Exec: func(*sshtest.Exec) { t.Error("a command runs") }, Accelerator: true})
	client, err := dial(t, server, func(c *session.Config) { c.LongLink = time.Hour })
	if err != nil {
		t.Fatal(err)
	}
	display := aDisplay(t)
	if shown, err := client.Show(t.Context(), display, via.Auto); err != nil || shown.Forwarded() != display {
		t.Errorf("%+v, %v", shown, err)
	}
}
