package agentwire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/agentwire"
	"goldm/internal/tagged"
)

func TestRoundTrip(t *testing.T) {
	messages := []agentwire.Message{
		&agentwire.Hello{Version: agentwire.Version, Agent: "0.1"},
		&agentwire.Started{},
		&agentwire.Pong{},
		&agentwire.Ended{Status: 143},
		&agentwire.Ping{},
		&agentwire.End{},
		&agentwire.Menu{Data: bytes.Repeat([]byte{0xff}, agentwire.MaxMenuData)},
		&agentwire.MenuEnd{},
	}
	var wire bytes.Buffer
	for _, m := range messages {
		if err := agentwire.Write(&wire, m); err != nil {
			t.Fatal(err)
		}
	}
	r := agentwire.NewReader(&wire)
	for _, want := range messages {
		got, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	if _, err := r.Read(); err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
}

// The bytes that the two programs of different releases agree on.
func TestWire(t *testing.T) {
	var wire bytes.Buffer
	agentwire.Write(&wire, &agentwire.Hello{Version: 1, Agent: "0.1"})
	agentwire.Write(&wire, &agentwire.Ping{})
	agentwire.Write(&wire, &agentwire.Ended{Status: 0})
	want := `{"type":"hello","version":1,"agent":"0.1"}
{"type":"ping"}
{"type":"ended","status":0}
`
	if d := cmp.Diff(want, wire.String()); d != "" {
		t.Error(d)
	}
}

func TestBadLines(t *testing.T) {
	for name, line := range map[string]string{
		"text":          "Last login: yesterday",
		"empty":         "",
		"unknown type":  `{"type":"reboot"}`,
		"wrong member":  `{"type":"ended","status":"bad"}`,
		"too long":      `{"type":"hello","agent":"` + strings.Repeat("x", agentwire.MaxLine) + `"}`,
		"far too long":  strings.Repeat("x", 10*agentwire.MaxLine),
		"not an object": `["ping"]`,
	} {
		t.Run(name, func(t *testing.T) {
			r := agentwire.NewReader(strings.NewReader(line + "\n" + `{"type":"ping"}` + "\n"))
			var bad *tagged.BadMessage
			if m, err := r.Read(); !errors.As(err, &bad) {
				t.Errorf("Read = %v, %v; want a BadMessage", m, err)
			}
			if m, err := r.Read(); err != nil || m == nil {
				t.Errorf("the line after: %v, %v", m, err)
			}
		})
	}
}

func TestWriteTooLong(t *testing.T) {
	var wire bytes.Buffer
	m := &agentwire.Hello{Agent: strings.Repeat("x", agentwire.MaxLine)}
	if err := agentwire.Write(&wire, m); err == nil || wire.Len() > 0 {
		t.Errorf("Write = %v with %d bytes written", err, wire.Len())
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"type\":\"hello\",\"version\":1}\n\n{\"type\":\"ended\",\"status\":-1}\nrest"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := agentwire.NewReader(bytes.NewReader(wire))
		for range len(wire) + 1 {
			m, err := r.Read()
			var bad *tagged.BadMessage
			switch {
			case err == io.EOF:
				return
			case err != nil && !errors.As(err, &bad):
				t.Fatalf("read: %v", err)
			case err == nil && m == nil:
				t.Fatal("neither message nor error")
			}
		}
		t.Error("more messages than bytes")
	})
}
