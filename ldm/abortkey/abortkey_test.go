package abortkey

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const limit = time.Minute

// event is one struct input_event.
func event(kind, code uint16, value int32) []byte {
	b := make([]byte, timeSize, eventSize)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, code)
	return binary.NativeEndian.AppendUint32(b, uint32(value))
}

func key(code uint16, value int32) []byte { return event(evKey, code, value) }

func TestChord(t *testing.T) {
	join := func(events ...[]byte) []byte { return bytes.Join(events, nil) }
	for name, tt := range map[string]struct {
		events []byte
		want   int
	}{
		"left":         {join(key(29, 1), key(56, 1), key(14, 1), key(14, 0)), 1},
		"right":        {join(key(100, 1), key(97, 1), key(14, 1)), 1},
		"twice":        {join(key(29, 1), key(56, 1), key(14, 1), key(14, 2), key(14, 2), key(14, 0), key(14, 1)), 2},
		"no Alt":       {join(key(29, 1), key(14, 1)), 0},
		"no Ctrl":      {join(key(56, 1), key(14, 1)), 0},
		"Ctrl is up":   {join(key(29, 1), key(56, 1), key(29, 0), key(14, 1)), 0},
		"one Ctrl up":  {join(key(29, 1), key(97, 1), key(56, 1), key(29, 0), key(14, 1)), 1},
		"wrong order":  {join(key(14, 1), key(29, 1), key(56, 1)), 0},
		"Delete":       {join(key(29, 1), key(56, 1), key(111, 1)), 0},
		"another kind": {join(event(2, 29, 1), key(56, 1), key(14, 1)), 0},
		"lost events":  {join(key(29, 1), key(56, 1), event(evSyn, synDropped, 0), key(14, 1)), 0},
		"half":         {join(key(29, 1), key(56, 1), key(14, 1)[:eventSize-1]), 0},
	} {
		got := 0
		follow(bytes.NewReader(tt.events), func() { got++ })
		if got != tt.want {
			t.Errorf("%s: %d times, want %d", name, got, tt.want)
		}
	}
}

func FuzzFollow(f *testing.F) {
	f.Add(bytes.Join([][]byte{key(29, 1), key(56, 1), key(14, 1)}, nil))
	f.Fuzz(func(t *testing.T, events []byte) {
		n := 0
		follow(bytes.NewReader(events), func() { n++ })
		if n > len(events)/eventSize {
			t.Errorf("pressed %d times in %d bytes", n, len(events))
		}
	})
}

// keyboard makes a device of pipe, and returns the end that types.
func keyboard(t *testing.T, folder, name string) *os.File {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Keyboards that are there, and those that come later, are read, with noise on another one; the end of ctx ends it
// all.
func TestAttackKeyboards(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	pressed, done := make(chan struct{}, 100), make(chan struct{})
	first := keyboard(t, folder, "event0")
	noise := keyboard(t, folder, "event1")
	keyboard(t, folder, "mouse0").Write(bytes.Repeat([]byte{1}, 100))
	go func() {
		defer close(done)
		Watch(ctx, folder, slog.New(slog.DiscardHandler), func() { pressed <- struct{}{} })
	}()
	go io.CopyN(noise, zeroed{}, 1<<20)
	strike := func(f *os.File) {
		t.Helper()
		f.Write(bytes.Join([][]byte{key(29, 1), key(56, 1), key(14, 1), key(14, 0), key(56, 0), key(29, 0)}, nil))
		select {
		case <-pressed:
		case <-time.After(limit):
			t.Fatal("not noticed")
		}
	}
	strike(first)
	strike(first)
	strike(keyboard(t, folder, "event2"))
	cancel()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("it does not end")
	}
	if len(pressed) > 0 {
		t.Error("noise is a key")
	}
}

// zeroed is random but for the codes of the keys that matter.
type zeroed struct{}

func (zeroed) Read(p []byte) (int, error) {
	rand.Read(p)
	for i := range p {
		if p[i] < 128 {
			p[i] += 128
		}
	}
	return len(p), nil
}
