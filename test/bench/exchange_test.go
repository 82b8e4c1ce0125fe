package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"goldm/internal/x11/xtest"
	sessionx11 "goldm/session/x11"
	"goldm/test/bench/xclient"
)

// The counter counts what a program waits for, and passes on all.
func TestCounter(t *testing.T) {
	server := xtest.Start(t)
	target, err := sessionx11.ParseDisplay(server.Display)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Authorize(t.Context(), server.Authority); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "count"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := &counter{target: target, out: out, lexicon: newLexicon()}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go c.serve(ctx, listener)

	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	x, err := xclient.New(conn, "", nil) // the cookie is the counter's
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for range 3 {
		if err := x.RoundTrip(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.Keyboard(); err != nil { // asks for XTEST
		t.Fatal(err)
	}
	// Two questions at once are one wait, unless the first answer overtakes the second question.
	for range 2 {
		if err := x.Ask(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := x.Reply(); err != nil {
			t.Fatal(err)
		}
	}
	window, err := x.Window("window", 100, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	gc, err := x.GC(window)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.PutImage(window, gc, 0, 0, drawWidth, text(drawHeight, 1)); err != nil {
		t.Fatal(err)
	}
	if err := x.RoundTrip(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	waits, err := parseWaits(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(waits); n != 7 && n != 8 { // the setup, four, one or two, and the last
		t.Errorf("counted %d waits: %s", n, text)
	}
	got := fmt.Sprintf("%s; %s, %d after %q", waits[0].what(), waits[4].what(), waits[4].sequence, waits[4].behind)
	if want := `setup; QueryExtension XTEST, 4 after []`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A window manager without frames lets windows appear, and sees them come and go.
func TestScreen(t *testing.T) {
	server := xtest.Start(t, "-ac")
	conn, err := net.Dial("unix", server.Path())
	if err != nil {
		t.Fatal(err)
	}
	s, err := manage(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	program, err := xclient.Dial(ctx, server.Display, server.Authority)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	window, err := program.Window("window", 100, 100, xclient.KeyPressMask)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Flush(); err != nil {
		t.Fatal(err)
	}
	got, at, err := s.appeared(ctx)
	if err != nil || got != window || at.Before(begin) {
		t.Errorf("window %x appeared at %v, %v; want %x after %v", got, at, err, window, begin)
	}
	program.Close()
	if err := s.empty(ctx); err != nil {
		t.Error(err)
	}
}
