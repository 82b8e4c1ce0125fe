package far_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"goldm/internal/agentwire"
	"goldm/session/far"
)

// process is a far process played by the test.
type process struct {
	exited  chan struct{}
	signals chan string
}

func newProcess() *process {
	return &process{exited: make(chan struct{}), signals: make(chan string, 1)}
}

func (p *process) Exited() <-chan struct{} { return p.exited }

func (p *process) Signal(name string) error {
	p.signals <- name
	return nil
}

func TestAgent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, end := newProcess(), far.New(slog.New(slog.DiscardHandler))
	end.Follow(ctx, p)
	heard := agentwire.NewReader(end.Stdin)
	io.WriteString(end.Stdout, "Welcome to this server\n"+strings.Repeat("x", 10000)+"\n")
	agentwire.Write(end.Stdout, &agentwire.Hello{Version: agentwire.Version})
	if m, err := heard.Read(); err != nil {
		t.Fatal(err)
	} else if _, ok := m.(*agentwire.Ping); !ok {
		t.Errorf("after hello: %T, want a ping", m)
	}
	agentwire.Write(end.Stdout, &agentwire.Hello{Version: agentwire.Version})
	cancel()
	if m, err := heard.Read(); err != nil {
		t.Fatal(err)
	} else if _, ok := m.(*agentwire.End); !ok {
		t.Errorf("at the end: %T, want an end", m)
	}
	agentwire.Write(end.Stdout, &agentwire.Ended{})
	close(p.exited)
	end.Close()
}

func TestDarkened(t *testing.T) {
	for _, dark := range []bool{false, true} {
		p, end := newProcess(), far.New(slog.New(slog.DiscardHandler))
		end.Follow(t.Context(), p)
		agentwire.Write(end.Stdout, &agentwire.Ended{Status: 1, Dark: dark})
		close(p.exited)
		end.Close()
		if said := end.Darkened("server"); strings.Contains(said, "server") != dark || (said != "") != dark {
			t.Errorf("%v: %q", dark, said)
		}
	}
}

func TestNoAgent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, end := newProcess(), far.New(slog.New(slog.DiscardHandler))
	end.Follow(ctx, p)
	io.WriteString(end.Stdout, "Welcome to this server\n")
	cancel()
	if got := <-p.signals; got != "TERM" {
		t.Errorf("signal %q", got)
	}
	close(p.exited)
	end.Close()
}

func TestComplaints(t *testing.T) {
	end := far.New(slog.New(slog.DiscardHandler))
	defer end.Close()
	io.WriteString(end.Stderr, strings.Repeat("early\n", 10000))
	io.WriteString(end.Stderr, "late\n")
	got := end.Complaints()
	if len(got) > 4<<10 || !strings.HasSuffix(got, "early\nlate\n") {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
}
