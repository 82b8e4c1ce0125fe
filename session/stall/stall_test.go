package stall

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// fake is a channel with something to read.
type fake struct {
	ssh.Channel
	io.Reader
}

func (f fake) Read(p []byte) (int, error) { return f.Reader.Read(p) }

// full always has more than is asked for.
type full struct{}

func (full) Read(p []byte) (int, error) { return len(p), nil }

// silent has nothing, until it is closed.
func silent(ctx context.Context) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.Close() })
	return r
}

// TestYoungest lets channels be behind in each way. Those whose readers wait do not count.
func TestYoungest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := New(Config{Stalled: 2 * window, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		var ended []int
		var reading sync.WaitGroup
		read := func(c *Channel) {
			for buf := make([]byte, 100); ctx.Err() == nil; time.Sleep(time.Millisecond) {
				c.Read(buf)
			}
		}
		for i, reader := range []io.Reader{
			silent(ctx), full{}, nil, strings.NewReader("all"), full{}, silent(ctx), nil, strings.NewReader(""),
		} {
			c := b.Add("X11", fake{Reader: reader}, func() { ended = append(ended, i) })
			if reader != nil { // else it waits for something else than the channel
				reading.Go(func() { read(c) })
			}
		}
		time.Sleep(10 * behindWithin)
		cancel()
		reading.Wait()
		b.Close()
		if len(ended) != 2 || ended[0] != 4 || ended[1] != 6 {
			t.Errorf("ended: %v, want the youngest two of 1, 2, 4 and 6", ended)
		}
		if n := strings.Count(log.String(), "closed=2 waiting=4"); n != 1 {
			t.Errorf("log: %s", log.String())
		}
	})
}

func BenchmarkRead(b *testing.B) {
	buf := make([]byte, 64<<10)
	budget := New(Config{Log: slog.New(slog.DiscardHandler)})
	defer budget.Close()
	counted := budget.Add("X11", fake{Reader: full{}}, func() {})
	for name, r := range map[string]io.Reader{"plain": fake{Reader: full{}}, "counted": counted} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Read(buf)
			}
		})
	}
}
