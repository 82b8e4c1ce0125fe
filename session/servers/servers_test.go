package servers

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goldm/ldm/wire"
)

var states = map[byte]string{'?': wire.Unknown, '+': wire.Up, '~': wire.Busy, '-': wire.Down}

// parse reads words such as "a+80" or "b-", with "!" at the end for one that is drained.
func parse(words string) (names []string, known []wire.Server) {
	for word := range strings.FieldsSeq(words) {
		s := wire.Server{Name: word[:1], State: states[word[1]]}
		digits, drained := strings.CutSuffix(word[2:], "!")
		s.Rating, _ = strconv.Atoi(digits)
		s.Drained = drained
		names, known = append(names, s.Name), append(known, s)
	}
	return names, known
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"a+ b+ c+", "a b c"}, // no rating is known: the administrator's order
		{"a- b+ c+", "b c a"},
		{"a? b+ c-", "a b c"},
		{"a~ b- c? d+", "c d a b"},
		{"a- b- c-", "a b c"},
		{"a+5 b+90", "b a"}, // full
		{"a+5 b+", "b a"},
		{"a+5 b~90 c-90", "a b c"},
		{"a+90! b+90", "b a"}, // drained
		{"a+! b+", "b a"},
		{"a+90! b-", "b a"},
		{"a+90! b+5", "b a"},
		{"a-! b~! c+", "c a b"},
	} {
		for range 50 { // whatever the lots say
			names, known := parse(tt.in)
			if got := strings.Join(Order(names, known, rand.Float64), " "); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
				break
			}
		}
	}
}

func TestOrderWithoutKnowledge(t *testing.T) {
	names := []string{"a", "b", "c"}
	if got := Order(names, nil, rand.Float64); !slices.Equal(got, names) {
		t.Errorf("%q", got)
	}
	stranger := []wire.Server{{Name: "x", State: wire.Up, Rating: 100}}
	if got := Order(names, stranger, rand.Float64); !slices.Equal(got, names) {
		t.Errorf("one that is not on the list: %q", got)
	}
}

// A draw falls to a server by its share of the scores.
func TestLots(t *testing.T) {
	for _, tt := range []struct {
		in   string
		draw float64
		want string
	}{
		{"a+75 b+25", 0, "a b"},
		{"a+75 b+25", 0.74, "a b"},
		{"a+75 b+25", 0.76, "b a"},
		{"a+75 b+25", 0.9999999999999999, "b a"},
		{"a+40 b+80 c+", 0.66, "b a c"}, // unknown beside known counts as their average
		{"a+40 b+80 c+", 0.67, "c a b"},
		{"a+ b+100 c+", 0.9, "a b c"}, // c wins the first place; a, which is before it, takes it
	} {
		draws := []float64{tt.draw, 0, 0}
		names, known := parse(tt.in)
		got := Order(names, known, func() float64 { d := draws[0]; draws = draws[1:]; return d })
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s, %v: got %q, want %s", tt.in, tt.draw, got, tt.want)
		}
	}
}

// Of two servers alike the near one gets the more logins; a few hundred microseconds, as
// they come and go on a network, are nothing.
func TestDistance(t *testing.T) {
	near, far := wire.Server{Rating: 80, RTT: 300}, wire.Server{Rating: 80, RTT: 30_000}
	if score(near) < 3*score(far) {
		t.Errorf("%v and %v", score(near), score(far))
	}
	if a, b := score(wire.Server{Rating: 80, RTT: 200}), score(wire.Server{Rating: 80, RTT: 500}); b < 0.95*a {
		t.Errorf("%v and %v", a, b)
	}
	if score(wire.Server{Rating: 80, RTT: -1 << 60}) != 80 {
		t.Error("a server from before its time")
	}
}

// Of two servers alike the larger one gets more.
func TestSize(t *testing.T) {
	if small, large := score(wire.Server{Rating: 80, CPUs: 8}), score(wire.Server{Rating: 80, CPUs: 32}); large != 4*small {
		t.Errorf("%v and %v", small, large)
	}
	if score(wire.Server{Rating: 1, CPUs: 1 << 60}) != maxCPUs || score(wire.Server{Rating: 1, CPUs: -1}) != 1 {
		t.Error("a server of no size that there is")
	}
}
