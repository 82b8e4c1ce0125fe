package xproxy

import (
	"bytes"
	"testing"
	"time"
)

// Long replies come in several notices, and of one that changes only what has.
func TestPieces(t *testing.T) {
	long, short := topic{kind: deviceLists}, topic{kind: states}
	n := newTelling(inquiry{topic: topic{kind: deviceLists, a: 1}}, inquiry{topic: long}, inquiry{topic: short})
	reply := replyOf(maxAnswer, 9)
	for round := 0; n.seen[long] == nil || n.seen[long].size == 0; round++ {
		if n.see(nil, reply, replyOf(32, 5)); round > 5 || len(n.near.all) != 2 {
			t.Fatalf("round %d, %d questions", round, len(n.near.all))
		}
		if len(n.near.all) == 2 { // the one that was refused is left out
			n.near.all = append([]inquiry{{topic: topic{kind: deviceLists, a: 1}}}, n.near.all...)
		}
	}
	n.near.all = n.near.all[1:]
	reply[5000]++
	n.near.ask(0, time.Now())
	n.near.take(1, bytes.Clone(reply))
	n.near.take(2, replyOf(32, 5))
	notice := n.near.tell(nil)
	if want := wordSize + pieceSize + 2*wordSize; len(notice) != want {
		t.Errorf("a byte has changed: %d bytes are told, want %d", len(notice), want)
	}
	n.take(notice, n.batch)
	if got, _ := n.glance(long); got != nil && !bytes.Equal(got, reply) {
		t.Error("the far half has something else")
	}
	n.see(replyOf(maxAnswer+4, 1), replyOf(32, 5))
	if len(n.near.all) != 1 || n.near.all[0].topic != short {
		t.Errorf("what is too long is asked again: %+v", n.near.all)
	}
}

// The questions are asked for some time, and not ahead of each of many long batches.
func TestDue(t *testing.T) {
	const longBatch = 20 << 10
	now := time.Now()
	for name, test := range map[string]struct {
		inquiries inquiries
		data      int
		want      bool
	}{
		"a short batch":         {inquiries{last: now}, 99, true},
		"a long one":            {inquiries{last: now}, longBatch, false},
		"a long one, later":     {inquiries{last: now.Add(-askEvery)}, longBatch, true},
		"nothing":               {inquiries{last: now}, 0, false},
		"nothing for a while":   {inquiries{last: now.Add(-freshEvery)}, 0, true},
		"the rest":              {inquiries{last: now, partly: true}, 0, true},
		"the rest, for ever":    {inquiries{last: now, partly: true, rounds: maxRounds}, 0, false},
		"some are not answered": {inquiries{pending: true}, 99, false},
		"no start":              {inquiries{until: now.Add(-1)}, 99, false},
	} {
		q := test.inquiries
		q.all = []inquiry{inputFocus()}
		if q.until.IsZero() {
			q.until = now.Add(time.Second)
		}
		if got := q.due(test.data, now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
