package xproxy

import (
	"bytes"
	"testing"

	"goldm/internal/x11"
)

// Programs that ask and never read have no more kept for them, together, than there is room for; the X server
// is asked then.
func TestAttackUnread(t *testing.T) {
	const programs, asked = 100, 50
	shared := fuzzConstants()
	shared.unread.most = 64 * x11.AnswerHead
	total := 0
	for range programs {
		p := newProgram(x11.LittleEndian, shared)
		x := &xclient{t: t, order: p.order}
		requests, answers := requests{program: p}, newAnswers(p)
		answers.take([]byte{x11.SetupAccepted, 0, 11, 0, 0, 0, 0, 0})
		p.out = nil
		requests.edit(nil, bytes.Repeat(x.request(internAtom, 0, 4, 0, "ATOM"), asked))
		total += len(p.out)
	}
	if total == 0 || int64(total) > shared.unread.most {
		t.Errorf("%d bytes wait, want some and at most %d", total, shared.unread.most)
	}
}

// Replies that come slowly to many programs are kept as far as there is room.
func TestComing(t *testing.T) {
	const long = 4 << 10
	shared := fuzzConstants()
	shared.coming.most = 3 * long
	var all []*answers
	kept := 0
	for range 10 {
		a := newAnswers(newProgram(x11.LittleEndian, shared))
		if a.hold(&expected{}, long); a.keep != nil {
			kept++
		}
		all = append(all, a)
	}
	for _, a := range all {
		a.forget()
	}
	if held := shared.coming.held.Load(); kept != 3 || held != 0 {
		t.Errorf("%d kept, want 3; %d bytes held in the end", kept, held)
	}
}
