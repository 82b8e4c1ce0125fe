package mux

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A queue is what a buffer is.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	var q queue
	var want bytes.Buffer
	data := noise(r, 1<<20)
	for i := range 10_000 {
		at := r.IntN(len(data) / 2)
		switch p := bytes.Clone(data[at : at+r.IntN(3*len(block{}))]); {
		case i%1000 == 999:
			q.drop()
			want.Reset()
		case r.IntN(2) == 0:
			q.add(p)
			want.Write(p)
		default:
			all := make([]byte, len(p))
			n, _ := want.Read(all)
			if got := q.take(p); got != n || !bytes.Equal(p[:n], all[:n]) {
				t.Fatalf("turn %d: %d bytes, want %d", i, got, n)
			}
		}
		if q.len() != want.Len() || q.len() == 0 && len(q.blocks) > 0 {
			t.Fatalf("turn %d: %d bytes in %d blocks, want %d", i, q.len(), len(q.blocks), want.Len())
		}
	}
}
