package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11"
)

func TestTable(t *testing.T) {
	tbl := table{title: "A title", head: []string{"application", "local", "ssh -Y"}}
	tbl.add("xterm", sample{1, 2, 4}.cell(), "–")
	tbl.add("ä", "9", "10")
	want := `A title

| application |            local | ssh -Y |
| ----------- | ---------------: | -----: |
| xterm       | 2.00 (1.00–4.00) |      – |
| ä           |                9 |     10 |

`
	if d := cmp.Diff(want, tbl.String()); d != "" {
		t.Error(d)
	}
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		s      sample
		median float64
		cell   string
	}{
		{nil, 0, "–"},
		{sample{3}, 3, "3.00 (3.00–3.00)"},
		{sample{300, 100}, 200, "200 (100–300)"},
		{sample{5, 1, 30}, 5, "5.00 (1.00–30.0)"},
	} {
		if got := tt.s.median(); got != tt.median {
			t.Errorf("median of %v is %v", tt.s, got)
		}
		if got := tt.s.cell(); got != tt.cell {
			t.Errorf("%v: %s, want %s", tt.s, got, tt.cell)
		}
	}
	if got := ratio(sample{1, 2, 3}, sample{4}); got != "0.50" {
		t.Errorf("ratio %s", got)
	}
	if got := ratio(sample{1}, nil); got != "–" {
		t.Errorf("ratio to nothing is %s", got)
	}
}

func TestReplaceSection(t *testing.T) {
	const text = "top\n<!-- bench rtt -->\nold\n<!-- end -->\nmiddle\n<!-- bench start -->\n<!-- end -->\n"
	got, err := replaceSection(text, "rtt", "new\n\n")
	if want := strings.Replace(text, "old", "new", 1); err != nil || got != want {
		t.Errorf("%v: %s", err, cmp.Diff(want, got))
	}
	for _, bad := range []string{"", "<!-- bench rtt -->\n", "<!-- bench rtt -->\n<!-- bench start -->\n<!-- end -->\n"} {
		if got, err := replaceSection(bad, "rtt", "new"); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestParseLinks(t *testing.T) {
	for _, tt := range []struct {
		rtt, mbit string
		want      []setting
	}{
		{"", "", nil},
		{"0.3ms,50ms", "", []setting{{300 * time.Microsecond, 1000}, {50 * time.Millisecond, 100}}},
		{"50ms", "10,100", []setting{{50 * time.Millisecond, 10}, {50 * time.Millisecond, 100}}},
	} {
		got, err := parseLinks(tt.rtt, tt.mbit)
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(setting{})); err != nil || d != "" {
			t.Errorf("%q, %q: %v %s", tt.rtt, tt.mbit, err, d)
		}
	}
	for _, bad := range [][2]string{{"50", ""}, {"-1ms", ""}, {"1ms", "fast"}, {"1ms", "0"}, {",", ""}} {
		if got, err := parseLinks(bad[0], bad[1]); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

func TestWaits(t *testing.T) {
	want := []wait{
		{conversation: 1, at: time.UnixMicro(1), took: 50 * time.Millisecond, request: "setup"},
		{conversation: 2, sequence: 70_000, at: time.UnixMicro(1 << 60), took: time.Second, request: "InternAtom", subject: "a b", behind: []string{"CreateGC", "CreateGC", "MapWindow"}},
	}
	got, err := parseWaits(want[0].line() + want[1].line())
	if d := cmp.Diff(want, got, cmp.AllowUnexported(wait{})); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	if got, want := inShort(want[1].behind), "CreateGC ×2, MapWindow"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{"\n", "1\n", "a\t1\t1\t1\t\t\t\n"} {
		if got, err := parseWaits(bad); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

func TestOpcodes(t *testing.T) {
	l := newLexicon()
	for name, opcode := range map[string]byte{"GetModifierMapping": 119, "NoOperation": 127, "QueryExtension": 98, "PutImage": 72} {
		if got := l.name(x11.Request{Major: opcode}); got != name {
			t.Errorf("opcode %d is %s, want %s", opcode, got, name)
		}
	}
	if got := l.atom(68); got != "WM_TRANSIENT_FOR" {
		t.Errorf("atom 68 is %s", got)
	}
	reply := make([]byte, x11.AnswerHead)
	reply[8], reply[9] = 1, 140
	l.learn(x11.LittleEndian, x11.QueryExtension, "XInputExtension", reply)
	if got := l.name(x11.Request{Major: 140, Minor: 61}); got != "XInputExtension XIBarrierReleasePointer" {
		t.Error(got)
	}
}
