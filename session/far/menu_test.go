package far_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"goldm/internal/agentwire"
	"goldm/session/far"
)

// A menu arrives whole after the agent's hello, in order, whatever else is said.
func TestSendMenu(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 1000)
	p, end := newProcess(), far.New(slog.New(slog.DiscardHandler))
	end.Follow(t.Context(), p)
	end.SendMenu(func() ([]byte, error) { return want, nil })
	agentwire.Write(end.Stdout, &agentwire.Hello{Version: agentwire.Version})
	heard := agentwire.NewReader(end.Stdin)
	var got []byte
	pings := 0
	for whole := false; !whole || pings == 0; {
		m, err := heard.Read()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *agentwire.Menu:
			got = append(got, m.Data...)
		case *agentwire.MenuEnd:
			whole = true
		case *agentwire.Ping:
			pings++
		default:
			t.Errorf("got %T", m)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
	close(p.exited)
	end.Close()
}

// An agent that waits hears the end of a menu that could not be made.
func TestSendNoMenu(t *testing.T) {
	p, end := newProcess(), far.New(slog.New(slog.DiscardHandler))
	end.Follow(t.Context(), p)
	end.SendMenu(func() ([]byte, error) { return nil, errors.New("broken") })
	agentwire.Write(end.Stdout, &agentwire.Hello{Version: agentwire.Version})
	heard := agentwire.NewReader(end.Stdin)
	for {
		m, err := heard.Read()
		if err != nil {
			t.Fatal(err)
		}
		if _, over := m.(*agentwire.MenuEnd); over {
			break
		}
	}
	close(p.exited)
	end.Close()
}

// A process without an agent, or one that does not read, keeps nobody.
func TestMenuWithoutReader(t *testing.T) {
	for _, hello := range []bool{false, true} {
		p, end := newProcess(), far.New(slog.New(slog.DiscardHandler))
		end.Follow(t.Context(), p)
		end.SendMenu(func() ([]byte, error) { return make([]byte, 100<<10), nil })
		if hello {
			agentwire.Write(end.Stdout, &agentwire.Hello{Version: agentwire.Version})
		}
		close(p.exited)
		end.Close()
	}
}
