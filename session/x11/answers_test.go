package x11

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11"
)

// message encodes a message of the X server; the body follows the first 32 bytes.
func message(o x11.Order, kind, detail byte, sequence uint16, body ...byte) []byte {
	b := make([]byte, x11.AnswerHead+x11.Pad(len(body)))
	b[0], b[1] = kind, detail
	o.PutUint16(b[2:], sequence)
	o.PutUint32(b[4:], uint32(len(b)-x11.AnswerHead)/4)
	copy(b[x11.AnswerHead:], body)
	return b
}

// errorMessage encodes an error.
func errorMessage(o x11.Order, code byte, sequence uint16, major byte, minor uint16) []byte {
	b := message(o, x11.Error, code, sequence)
	x11.PutError(o, b, code, major, minor)
	return b
}

// listReply encodes a reply to ListExtensions.
func listReply(o x11.Order, sequence uint16, names ...string) []byte {
	var list []byte
	for _, name := range names {
		list = append(append(list, byte(len(name))), name...)
	}
	return message(o, x11.Reply, byte(len(names)), sequence, list...)
}

// accepted encodes a setup's answer with n units of four bytes.
func accepted(o x11.Order, n uint16) []byte {
	b := o.AppendUint16([]byte{x11.SetupAccepted, 0, 11, 0, 0, 0}, n)
	return append(b, make([]byte, 4*int(n))...)
}

func newAnswers(o x11.Order, edits ...edit) *answers {
	a := &answers{order: o, list: allowed, pending: newPending()}
	for _, e := range edits {
		a.pending.add(e)
	}
	return a
}

func TestAnswers(t *testing.T) {
	refused := edit{sequence: 7, code: x11.BadRequest, major: 130, minor: 3}
	denied := edit{sequence: 8, code: x11.BadAccess, major: x11.ChangeHosts}
	list := edit{sequence: 7, list: true}
	orders(t, func(t *testing.T, o x11.Order) {
		focus := message(o, x11.Reply, 0, 6)
		image := message(o, x11.Reply, 24, 6, make([]byte, 100000)...)
		for _, test := range []struct {
			name  string
			edits []edit
			in    []byte
			out   []byte // nil for the same
			left  int    // edits that are left
		}{
			{name: "replies and events", in: slices.Concat(focus, message(o, 12, 0, 6), message(o, 11, 1, 0xffff), image, focus)},
			{
				name:  "errors of refused requests",
				edits: []edit{refused, denied},
				in:    slices.Concat(focus, errorMessage(o, x11.BadRequest, 7, 0, 0), errorMessage(o, x11.BadRequest, 8, 0, 0)),
				out:   slices.Concat(focus, errorMessage(o, x11.BadRequest, 7, 130, 3), errorMessage(o, x11.BadAccess, 8, x11.ChangeHosts, 0)),
			},
			{
				name:  "errors of other requests",
				edits: []edit{refused},
				in:    slices.Concat(errorMessage(o, 3, 7, 20, 0), errorMessage(o, x11.BadRequest, 6, 0, 0)),
				left:  1,
			},
			{
				name:  "what looks like an error within a reply",
				edits: []edit{refused},
				in:    message(o, x11.Reply, 0, 6, errorMessage(o, x11.BadRequest, 7, 0, 0)...),
				left:  1,
			},
			{
				name:  "what looks like an error within a generic event",
				edits: []edit{refused},
				in:    message(o, x11.GenericEvent, 0, 6, errorMessage(o, x11.BadRequest, 7, 0, 0)...),
				left:  1,
			},
			{
				name:  "list",
				edits: []edit{list, denied},
				in:    slices.Concat(focus, listReply(o, 7, "RENDER", "MIT-SHM", "DRI3", "SHAPE"), errorMessage(o, x11.BadRequest, 8, 0, 0), focus),
				out:   slices.Concat(focus, listReply(o, 7, "RENDER", "SHAPE"), errorMessage(o, x11.BadAccess, 8, x11.ChangeHosts, 0), focus),
			},
			{
				name:  "list of which nothing is left",
				edits: []edit{list},
				in:    slices.Concat(listReply(o, 7, "MIT-SHM", "DRI3"), focus),
				out:   slices.Concat(listReply(o, 7), focus),
			},
			{name: "no extensions", edits: []edit{list}, in: listReply(o, 7)},
			{name: "list that failed", edits: []edit{list}, in: errorMessage(o, x11.BadLength, 7, x11.ListExtensions, 0)},
			{
				name:  "not a list",
				edits: []edit{list},
				in:    slices.Concat(message(o, x11.Reply, 9, 7, 1, 2, 3, 4), image, message(o, x11.Reply, 1, 7, make([]byte, 1<<17)...)),
				left:  1,
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				setup := accepted(o, 10)
				a := newAnswers(o, test.edits...)
				got, done := a.edit(append(setup, test.in...))
				if done != len(got) || a.body != 0 {
					t.Fatalf("%d of %d bytes done, %d to come", done, len(got), a.body)
				}
				want := test.out
				if want == nil {
					want = test.in
				}
				if !bytes.Equal(got[len(setup):], want) {
					t.Error(cmp.Diff(want, got[len(setup):]))
				}
				if left := len(a.pending.takeAll()); left != test.left {
					t.Errorf("%d edits are left, expected %d", left, test.left)
				}
			})
		}
	})
}

func TestAnswersRefused(t *testing.T) {
	a := newAnswers(x11.LittleEndian)
	in := x11.AppendSetupRefusal(nil, a.order, "no")
	got, done := a.edit(bytes.Clone(in))
	if done != len(in) || !bytes.Equal(got, in) || !a.refused {
		t.Errorf("%d bytes done, refused %t", done, a.refused)
	}
}

// FuzzAnswers cuts a stream into reads in two ways: what comes out must be the same.
func FuzzAnswers(f *testing.F) {
	for _, o := range []x11.Order{x11.LittleEndian, x11.BigEndian} {
		f.Add(o == x11.BigEndian, uint16(3), slices.Concat(
			accepted(o, 3), errorMessage(o, 1, 1, 0, 0), message(o, x11.Reply, 0, 1, 1, 2, 3, 4, 5),
			listReply(o, 2, "MIT-SHM", "RENDER"), message(o, x11.GenericEvent, 0, 1, 1, 2, 3, 4, 5),
			errorMessage(o, 1, 3, 0, 0)))
		f.Add(o == x11.BigEndian, uint16(1), slices.Concat(accepted(o, 0), listReply(o, 1)))
	}
	f.Fuzz(func(t *testing.T, big bool, cut uint16, data []byte) {
		o := x11.LittleEndian
		if big {
			o = x11.BigEndian
		}
		whole := editAnswers(t, o, data, len(data)+1)
		parts := editAnswers(t, o, data, int(cut%64)+1)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("output depends on the reads:\n%s", diff)
		}
		if len(whole) > len(data) {
			t.Errorf("%d bytes became %d", len(data), len(whole))
		}
	})
}

// editAnswers edits a copy of data as it comes in reads of size bytes.
func editAnswers(t *testing.T, o x11.Order, data []byte, size int) (out []byte) {
	a := newAnswers(o,
		edit{sequence: 1, code: x11.BadAccess, major: 109, minor: 1},
		edit{sequence: 2, list: true},
		edit{sequence: 3, code: x11.BadRequest, major: 200, minor: 9})
	var have []byte
	for chunk := range slices.Chunk(data, size) {
		edited, done := a.edit(append(have, chunk...))
		out = append(out, edited[:done]...)
		have = bytes.Clone(edited[done:])
		if len(have) >= x11.MaxExtensionList {
			t.Fatalf("%d bytes are kept", len(have))
		}
	}
	return out
}

func TestLongestName(t *testing.T) {
	for name := range allowed {
		if len(name) > maxAllowedName {
			t.Errorf("%s is longer than %d", name, maxAllowedName)
		}
	}
}
