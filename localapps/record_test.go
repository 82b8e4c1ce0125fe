package localapps

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// split feeds data in pieces of n bytes.
func split(data []byte, n int) (objects []string, bad int) {
	var s splitter
	for len(data) > 0 {
		piece := data[:min(n, len(data))]
		s.feed(piece, func(object []byte) { objects = append(objects, string(object)) })
		data = data[len(piece):]
	}
	s.reset()
	return objects, s.bad
}

func TestSplitter(t *testing.T) {
	long := strings.Repeat("x", maxRecord+1)
	for _, tt := range []struct {
		name, data string
		want       []string
		bad        bool
	}{
		{"nothing", "", nil, false},
		{"one", "\x1e{}\n", []string{"{}"}, false},
		{"two appends in one read", "\x1ea\n\x1eb\n", []string{"a", "b"}, false},
		{"rubbish before", "rubbish\x1ea\n", []string{"a"}, true},
		{"rubbish between", "\x1ea\nrubbish\n\n\x1eb\n", []string{"a", "b"}, true},
		{"cut off", "\x1ea\x1eb\n", []string{"b"}, true},
		{"cut off at the end", "\x1ea\n\x1eb", []string{"a"}, true},
		{"too long", "\x1e" + long + "\n\x1eb\n", []string{"b"}, true},
		{"as long as may be", "\x1e" + long[1:] + "\n", []string{long[1:]}, false},
		{"empty", "\x1e\n", []string{""}, false},
	} {
		for _, n := range []int{1, 2, 7, 1 << 20} {
			got, bad := split([]byte(tt.data), n)
			if diff := cmp.Diff(tt.want, got); diff != "" || (bad > 0) != tt.bad {
				t.Errorf("%s, by %d: %d bad, %s", tt.name, n, bad, diff)
			}
		}
	}
}

func TestRecordsComeBack(t *testing.T) {
	for _, r := range []record{
		&runRecord{Version: 2, Direction: client, ID: 7, Window: 0x600001, Args: []string{"gedit", "a\nb\x1e", "<é&>"}, Dir: "/home/anna", Startup: "x_TIME1", Wait: true},
		&stateRecord{ID: 7, State: Exited, Status: 143},
		&stateRecord{ID: 7, State: Denied, Reason: "No."},
	} {
		data, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		objects, bad := split(data, len(data))
		if len(objects) != 1 || bad != 0 {
			t.Fatalf("%q: %q, %d bad", data, objects, bad)
		}
		back, err := decode([]byte(objects[0]))
		if diff := cmp.Diff(r, back); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
	}
	if _, err := encode(&runRecord{Args: []string{strings.Repeat("\x01", MaxArgs)}}); err == nil {
		t.Error("a record that is too long has no error")
	}
}

func TestBadRecords(t *testing.T) {
	for _, object := range []string{"", "x", "{}", "[]", "null", `{"type":"run","id":-1}`, `{"type":"run","args":"x"}`, `{"type":"walk"}`, "{\"type\":\"run\",\"args\":[\"\xff\"]}"} {
		if r, err := decode([]byte(object)); err == nil {
			t.Errorf("%q: %+v", object, r)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Request{Args: []string{"x", ""}, Dir: "/home/änna", Startup: "panel-12-host-xterm-1_TIME27"}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Request){
		"no words":           func(r *Request) { r.Args = nil },
		"no program":         func(r *Request) { r.Args = []string{"", "x"} },
		"NUL":                func(r *Request) { r.Args[1] = "a\x00b" },
		"not UTF-8":          func(r *Request) { r.Args[1] = "\xff" },
		"long":               func(r *Request) { r.Args[1] = strings.Repeat("x", MaxArgs) },
		"many":               func(r *Request) { r.Args = strings.Split(strings.Repeat("x ", maxWords+1), " ") },
		"relative folder":    func(r *Request) { r.Dir = "home" },
		"long folder":        func(r *Request) { r.Dir = "/" + strings.Repeat("x", maxDir) },
		"folder with NUL":    func(r *Request) { r.Dir = "/\x00" },
		"long startup id":    func(r *Request) { r.Startup = strings.Repeat("x", maxStartup+1) },
		"control in startup": func(r *Request) { r.Startup = "a\nb" },
	} {
		bad := good
		bad.Args = append([]string(nil), good.Args...)
		change(&bad)
		if err := bad.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte("\x1e{\"type\":\"run\",\"version\":2,\"args\":[\"x\"]}\n\x1e{\"type\":\"state\",\"state\":\"exited\"}\n"), 3)
	f.Add([]byte("\x1e\x1e\n\n\x1e{}\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		whole, _ := split(data, len(data)+1)
		if n < 1 {
			n = 1
		}
		if pieces, _ := split(data, n); fmt.Sprint(whole) != fmt.Sprint(pieces) {
			t.Fatalf("%q by %d: %q, whole %q", data, n, pieces, whole)
		}
		for _, object := range whole {
			if len(object) > maxRecord || bytes.ContainsAny([]byte(object), recordMarks) {
				t.Fatalf("record %q", object)
			}
			r, err := decode([]byte(object))
			if err != nil {
				continue
			}
			if again, err := encode(r); err == nil {
				if back, err := decode(again[1 : len(again)-1]); err != nil || !cmp.Equal(r, back) {
					t.Fatalf("%#v came back as %#v, %v", r, back, err)
				}
			}
		}
	})
}
