package x11

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var bothOrders = []Order{LittleEndian, BigEndian}

func TestSetupRequest(t *testing.T) {
	// As libxcb sends it: big-endian, version 11.0, an 18 byte name, 16 of data.
	want := append([]byte("B\x00\x00\x0b\x00\x00\x00\x12\x00\x10\x00\x00MIT-MAGIC-COOKIE-1\x00\x00"), "0123456789abcdef"...)
	s := SetupRequest{Order: BigEndian, Major: 11, AuthName: "MIT-MAGIC-COOKIE-1", AuthData: []byte("0123456789abcdef")}
	if diff := cmp.Diff(want, s.Append(nil)); diff != "" {
		t.Error(diff)
	}
	for _, o := range bothOrders {
		s.Order = o
		r := bytes.NewReader(append(s.Append(nil), "more"...))
		got, err := ReadSetupRequest(r, 18)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Error(diff)
		}
		if r.Len() != len("more") {
			t.Errorf("%d bytes are left, expected 4", r.Len())
		}
	}
}

func TestBadSetupRequest(t *testing.T) {
	s := SetupRequest{Order: LittleEndian, Major: 11, AuthName: "name", AuthData: []byte("datum")}
	whole := s.Append(nil)
	for cut := range whole {
		_, err := ReadSetupRequest(bytes.NewReader(whole[:cut]), 100)
		want := io.ErrUnexpectedEOF
		if cut == 0 {
			want = io.EOF
		}
		if !errors.Is(err, want) {
			t.Errorf("cut after %d bytes: %v, expected %v", cut, err, want)
		}
	}
	var bad *BadSetup
	if got, err := ReadSetupRequest(bytes.NewReader(whole), 4); !errors.As(err, &bad) || got.Order != LittleEndian {
		t.Errorf("too long: %v, %v", got, err)
	}
	whole[0] = 'x'
	if got, err := ReadSetupRequest(bytes.NewReader(whole), 4); !errors.As(err, &bad) || got.Order.Valid() {
		t.Errorf("wrong order: %v, %v", got, err)
	}
}

func TestSetupRefusal(t *testing.T) {
	want := []byte("\x00\x05\x0b\x00\x00\x00\x02\x00wrong\x00\x00\x00")
	got := AppendSetupRefusal(nil, LittleEndian, "wrong")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, o := range bothOrders {
		for _, reason := range []string{"", "wrong", strings.Repeat("x", 255), strings.Repeat("x", 300)} {
			b := AppendSetupRefusal(nil, o, reason)
			if size := SetupAnswerSize(o, b); size != len(b) {
				t.Errorf("says to have %d bytes, has %d", size, len(b))
			}
			if got := RefusalReason(b); !strings.HasPrefix(reason, got) || len(got) != min(len(reason), 255) {
				t.Errorf("reason %q, expected %q", got, reason)
			}
		}
	}
}

func TestParseRequest(t *testing.T) {
	for _, test := range []struct {
		name string
		in   string // big-endian
		big  bool
		want Request
		ok   bool
	}{
		{name: "nothing"},
		{name: "short", in: "\x01\x02\x00"},
		{name: "plain", in: "\x01\x02\x00\x03", want: Request{1, 2, 4, 12}, ok: true},
		{name: "plain beside big ones", in: "\x01\x02\x00\x03", big: true, want: Request{1, 2, 4, 12}, ok: true},
		{name: "longest plain", in: "\x01\x02\xff\xff", want: Request{1, 2, 4, MaxRequest}, ok: true},
		{name: "zero", in: "\x01\x02\x00\x00\x00\x00\x00\x09", want: Request{1, 2, 4, 0}, ok: true},
		{name: "short extended", in: "\x01\x02\x00\x00\x00\x00\x00", big: true},
		{name: "extended", in: "\x01\x02\x00\x00\x00\x01\x00\x00", big: true, want: Request{1, 2, 8, 1 << 18}, ok: true},
		{name: "longest extended", in: "\x01\x02\x00\x00\xff\xff\xff\xff", big: true, want: Request{1, 2, 8, 1<<34 - 4}, ok: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, ok := ParseRequest(BigEndian, []byte(test.in), test.big); ok != test.ok || got != test.want {
				t.Errorf("got %+v, %t", got, ok)
			}
		})
	}
}

func TestAppendRequests(t *testing.T) {
	for _, o := range bothOrders {
		b := AppendQueryExtension(nil, o, "SHAPE")
		r, ok := ParseRequest(o, b, false)
		if !ok || r.Major != QueryExtension || int(r.Size) != len(b) || o.Uint16(b[4:]) != 5 || string(b[8:13]) != "SHAPE" {
			t.Errorf("QueryExtension is %q", b)
		}
		b = AppendRequest(nil, o, ListExtensions, 0)
		if r, ok := ParseRequest(o, b, false); !ok || r != (Request{ListExtensions, 0, 4, 4}) || len(b) != 4 {
			t.Errorf("ListExtensions is %q", b)
		}
	}
}

func TestAnswerSize(t *testing.T) {
	for _, o := range bothOrders {
		b := make([]byte, AnswerHead)
		o.PutUint32(b[4:], 1<<32-1)
		for kind, want := range map[byte]int64{
			Error:                  32,
			Reply:                  32 + 4*(1<<32-1),
			12:                     32,
			12 | SentBit:           32,
			GenericEvent:           32 + 4*(1<<32-1),
			GenericEvent | SentBit: 32 + 4*(1<<32-1), // libxcb masks the bit too
			KeymapNotify:           32,
		} {
			b[0] = kind
			if got := AnswerSize(o, b); got != want {
				t.Errorf("kind %d: %d bytes, expected %d", kind, got, want)
			}
		}
	}
}

func TestError(t *testing.T) {
	for _, o := range bothOrders {
		b := make([]byte, AnswerHead)
		o.PutUint16(b[2:], 0x1234)
		PutError(o, b, BadAccess, 200, 300)
		major, minor := ErrorOpcodes(o, b)
		if Sequence(o, b) != 0x1234 || ErrorCode(b) != BadAccess || major != 200 || minor != 300 {
			t.Errorf("error is %v", b)
		}
	}
}

// extensionList encodes a reply to ListExtensions.
func extensionList(o Order, names ...string) []byte {
	b := make([]byte, AnswerHead)
	b[0], b[1] = Reply, byte(len(names))
	for _, name := range names {
		b = append(append(b, byte(len(name))), name...)
	}
	b = append(b, make([]byte, Pad(len(b))-len(b))...)
	o.PutUint32(b[4:], uint32(len(b)-AnswerHead)/4)
	return b
}

func TestFilterExtensionList(t *testing.T) {
	long := strings.Repeat("y", 255)
	keep := func(name string) bool { return !strings.HasPrefix(name, "x") }
	for _, o := range bothOrders {
		for _, names := range [][]string{
			{}, {"a"}, {"x"}, {"x", "ab"}, {"ab", "x"}, {"abc", "x", "", "xyz", "abcd", long}, slices.Repeat([]string{long}, 255),
		} {
			want := extensionList(o, slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !keep(s) })...)
			got, ok := FilterExtensionList(o, extensionList(o, names...), keep)
			if !ok || !bytes.Equal(got, want) {
				t.Errorf("%q: got %q, %t", names, got, ok)
			}
		}
		whole := extensionList(o, "abc", "de", "x")
		for _, bad := range [][]byte{whole[:20], whole[:len(whole)-4], append(bytes.Clone(whole), 0, 0, 0, 0)} {
			if _, ok := FilterExtensionList(o, bad, keep); ok {
				t.Errorf("%q is taken for a list", bad)
			}
		}
	}
}

func FuzzFilterExtensionList(f *testing.F) {
	f.Add(extensionList(LittleEndian, "abc", "x", "long name"), byte('x'))
	f.Fuzz(func(t *testing.T, reply []byte, prefix byte) {
		var kept []string
		in := bytes.Clone(reply)
		got, ok := FilterExtensionList(LittleEndian, in, func(name string) bool {
			keep := name == "" || name[0] != prefix
			if keep {
				kept = append(kept, strings.Clone(name))
			}
			return keep
		})
		if !ok {
			if !bytes.Equal(got, reply) {
				t.Error("what is no list was changed")
			}
			return
		}
		want := extensionList(LittleEndian, kept...)
		if !bytes.Equal(got[AnswerHead:], want[AnswerHead:]) || AnswerSize(LittleEndian, got) != int64(len(got)) {
			t.Errorf("got %q, expected %q", got, want)
		}
	})
}

func FuzzReadSetupRequest(f *testing.F) {
	for _, o := range bothOrders {
		s := SetupRequest{Order: o, Major: 11, AuthName: "MIT-MAGIC-COOKIE-1", AuthData: []byte("0123456789abcdef")}
		f.Add(s.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadSetupRequest(bytes.NewReader(data), 64)
		if err != nil {
			return
		}
		if len(s.AuthName) > 64 || len(s.AuthData) > 64 {
			t.Errorf("over the limit: %+v", s)
		}
		again, err := ReadSetupRequest(bytes.NewReader(s.Append(nil)), 64)
		if diff := cmp.Diff(s, again); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
