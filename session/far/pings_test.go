package far

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/logs"
)

// idle is a process that does nothing.
type idle chan struct{}

func (i idle) Exited() <-chan struct{} { return i }
func (i idle) Signal(string) error     { return nil }

// agent runs an agent in a bubble: answer is called for each ping.
func agent(t *testing.T, answer func(n int, say io.Writer), check func(e *End)) {
	synctest.Test(t, func(t *testing.T) {
		p := make(idle)
		var log bytes.Buffer
		limited, done := logs.Limit(slog.New(slog.NewTextHandler(&log, nil)), logs.Own)
		defer done()
		e := New(limited)
		e.Follow(t.Context(), p)
		agentwire.Write(e.Stdout, &agentwire.Hello{Version: agentwire.Version})
		go func() {
			r := agentwire.NewReader(e.Stdin)
			for n := 1; ; n++ {
				if _, err := r.Read(); err != nil {
					return
				}
				answer(n, e.Stdout)
			}
		}()
		check(e)
		close(p)
		e.Close()
		time.Sleep(2 * time.Hour) // for an agent that sleeps
		if n := strings.Count(log.String(), "\n"); n > logs.Own.Burst+20 {
			t.Errorf("%d lines in the log", n)
		}
	})
}

func pong(_ int, say io.Writer) { agentwire.Write(say, &agentwire.Pong{}) }

// An agent that answers stays; so does one of a version that does not answer at all.
func TestAgentThatAnswers(t *testing.T) {
	for name, answer := range map[string]func(int, io.Writer){"answers": pong, "never answers": func(int, io.Writer) {}} {
		agent(t, answer, func(e *End) {
			select {
			case <-e.Hung():
				t.Errorf("%s: it is taken for one that hangs", name)
			case <-time.After(time.Hour):
			}
		})
	}
}

// An agent that stops answering is noticed within half a minute: one that was stopped, one that does not even
// read, and one that answers a hundred times what it was not asked.
func TestAttackAgent(t *testing.T) {
	for name, answer := range map[string]func(int, io.Writer){
		"stopped": func(n int, say io.Writer) {
			if n == 1 {
				pong(n, say)
			}
		},
		"does not read": func(n int, say io.Writer) {
			if pong(n, say); n == 2 {
				time.Sleep(time.Hour)
			}
		},
		"floods": func(n int, say io.Writer) {
			for range 100_000 {
				if n == 1 {
					pong(n, say)
				}
			}
		},
	} {
		agent(t, answer, func(e *End) {
			began := time.Now()
			<-e.Hung()
			if took := time.Since(began); took > 45*time.Second {
				t.Errorf("%s: noticed after %v", name, took)
			}
		})
	}
}

// What the agent says of its end reaches the person.
func TestReasons(t *testing.T) {
	for want, ended := range map[string]*agentwire.Ended{
		"did not hear from this computer": {Status: 143, Silent: true},
		"A part of the session":           {Status: 143, Hung: true},
		"":                                {Status: 143},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		p := make(idle)
		e := New(slog.New(slog.DiscardHandler))
		e.Follow(ctx, p)
		agentwire.Write(e.Stdout, ended)
		close(p)
		e.Close()
		cancel()
		if got := e.Broken("server", true); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%+v: %q", ended, got)
		}
	}
}
