package mux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// What both sides keep, with all that compression needs, is little, and what they carry leaves
// no garbage: they are there as long as a session, on clients that have little memory.
func TestMemory(t *testing.T) {
	const (
		rounds   = 400
		requests = 32 << 10 // a round, and
		answers  = 4 << 10
		kept     = 7 << 20
	)
	var before, carried, after runtime.MemStats
	ask, answer := noise(rand.New(rand.NewPCG(15, 16)), requests), make([]byte, answers)
	runtime.GC()
	runtime.GC() // what is in a pool goes with the second
	runtime.ReadMemStats(&before)
	opener, acceptor := pair(t)
	near, far := open(t, opener, acceptor)
	go func() {
		for buf := make([]byte, requests); ; {
			if _, err := io.ReadFull(far, buf); err != nil {
				return
			}
			far.Write(buf[:answers])
		}
	}()
	for i := range rounds {
		binary.LittleEndian.PutUint32(ask, uint32(i))
		near.Write(ask)
		if _, err := io.ReadFull(near, answer); err != nil || !bytes.Equal(answer, ask[:answers]) {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	runtime.ReadMemStats(&carried)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > kept {
		t.Errorf("both sides keep %d bytes, more than %d", got, kept)
	}
	if got := carried.TotalAlloc - before.TotalAlloc; got > kept+rounds*(requests+answers) {
		t.Errorf("%d bytes were allocated to carry %d", got, rounds*(requests+answers))
	}
	runtime.KeepAlive([]*Conn{opener, acceptor})
}

// A decoder has the memory that its direction takes, and no peer makes it more: the side that
// opens streams decodes what comes from the one that accepts them.
func TestWindows(t *testing.T) {
	for _, acceptor := range []bool{false, true} {
		from := directionFrom(!acceptor)
		from.window *= 2
		ours, peers := net.Pipe()
		c := connect(t, ours, acceptor)
		e, _ := coders(t, nil, from, from)
		batch, err := e.encode(appendFrame(nil, frameOpen, 1, nil), 0)
		if err != nil {
			t.Fatal(err)
		}
		peers.Write(batch)
		peers.Close()
		<-c.Done()
		if err := c.Err(); !errors.Is(err, zstd.ErrWindowSizeExceeded) {
			t.Errorf("acceptor: %v; a window of %d bytes: %v", acceptor, from.window, err)
		}
	}
}
