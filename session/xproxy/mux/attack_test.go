package mux

import (
	"testing"
	"time"
)

// The streams that nobody reads hold no more than their first windows and what those of others may grow by, together.
func TestAttackUnreadStreams(t *testing.T) {
	opener, acceptor := pair(t)
	var writers []*Stream
	for range maxStreams {
		near, _ := open(t, opener, acceptor)
		go near.Write(make([]byte, 1<<20))
		writers = append(writers, near)
	}
	stuck := func() bool {
		opener.mu.Lock()
		defer opener.mu.Unlock()
		for _, s := range writers {
			if s.allowance > 0 || s.out.len() < maxOut {
				return false
			}
		}
		return true
	}
	for !stuck() && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	acceptor.mu.Lock()
	defer acceptor.mu.Unlock()
	total := 0
	for _, s := range acceptor.streams {
		total += s.in.len()
	}
	if most := maxStreams*firstWindow + spareWindow; total > most {
		t.Errorf("%d bytes wait, more than %d", total, most)
	}
}
