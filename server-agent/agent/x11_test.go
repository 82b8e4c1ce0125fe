package agent

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
)

// A far half that has heard nothing of its client yet ends when it is asked to.
func TestAwaitEnds(t *testing.T) {
	fromClient, clientWrites := pipe(t)
	clientReads, toClient := pipe(t)
	defer clientWrites.Close() // open, and silent, until here
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		io.ReadAtLeast(clientReads, make([]byte, 64), 1)
		cancel()
	}()
	client := &stdio{fromClient, toClient, func() error { return errors.Join(fromClient.Close(), toClient.Close()) }}
	if _, err := await(ctx, client); !errors.Is(err, context.Canceled) {
		t.Errorf("await: %v, want that it was ended", err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}
