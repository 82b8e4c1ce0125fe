package servers

import (
	"strings"
	"testing"

	"goldm/ldm/wire"
)

func TestOrder(t *testing.T) {
	states := map[byte]string{'?': wire.Unknown, '+': wire.Up, '~': wire.Busy, '-': wire.Down}
	tests := []struct{ in, want string }{
		{"", ""},
		{"a+ b+ c+", "a b c"},
		{"a- b+ c+", "b c a"},
		{"a? b+ c-", "a b c"},
		{"a~ b- c? d+", "c d a b"},
		{"a- b- c-", "a b c"},
	}
	for _, tt := range tests {
		var list []wire.Server
		for word := range strings.FieldsSeq(tt.in) {
			list = append(list, wire.Server{Name: word[:1], State: states[word[1]]})
		}
		var names []string
		for _, s := range Order(list) {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}
