package wrap

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	rest := " S 12 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 170000 300"
	for _, name := range []string{"sh", "a b", "x) S 99 (", "", "))((", "new\nline"} {
		got, err := parseStat([]byte("42 (" + name + ")" + rest))
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if want := (stat{parent: 12, start: 98765}); got != want {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
	for _, bad := range []string{"", "42 sh S 12", "42 (sh) S 12", strings.Replace("42 (sh)"+rest, "98765", "-1", 1)} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %+v, want an error", bad, got)
		}
	}
}

func TestBelow(t *testing.T) {
	s := snapshot{
		1: {0, 1}, 10: {1, 2}, 11: {10, 3}, 12: {11, 4}, 13: {10, 5},
		20: {1, 6}, 21: {20, 7},
		30: {31, 8}, 31: {30, 9}, // seen while numbers changed hands
	}
	got := s.below(10)
	slices.Sort(got)
	if d := cmp.Diff([]int{11, 12, 13}, got); d != "" {
		t.Error(d)
	}
	if got := s.below(30); len(got) != 1 {
		t.Errorf("below a circle: %d", got)
	}
	later := snapshot{1: {0, 1}, 10: {1, 2}, 11: {10, 99}, 12: {11, 4}, 13: {1, 5}}
	if got := s.intersect(later).below(10); len(got) != 0 {
		t.Errorf("a reused number and a new parent leave %d below", got)
	}
}

func TestSnapshot(t *testing.T) {
	s := takeSnapshot()
	if got, want := s[os.Getpid()].parent, os.Getppid(); got != want {
		t.Errorf("our parent is %d, want %d", got, want)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a) b) S 12 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 170000 300"))
	f.Fuzz(func(t *testing.T, line []byte) { parseStat(line) })
}
