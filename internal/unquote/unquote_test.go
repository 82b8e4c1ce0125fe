package unquote_test

import (
	"testing"

	"goldm/internal/unquote"
)

func TestValue(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"", ""},
		{"two words", "two words"},
		{`"two  words"`, "two  words"},
		{`'$HOME'`, "$HOME"},
		{`a\ b # comment`, "a b"},
	}
	for _, tt := range tests {
		if got, err := unquote.Value(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestBadValues(t *testing.T) {
	for in, incomplete := range map[string]bool{
		`"open`: true, `'open`: true, "$(date)": false, "$HOME": false, "a;b": false, "`id`": false, "a|b": false,
	} {
		got, err := unquote.Value(in)
		if err == nil || unquote.Incomplete(err) != incomplete {
			t.Errorf("%q: %q, %v; want an error, incomplete: %v", in, got, err, incomplete)
		}
	}
}
