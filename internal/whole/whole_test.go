package whole

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		want string
		err  string
	}{
		"short":    {strings.NewReader("abc"), "abc", ""},
		"just fit": {iotest.OneByteReader(strings.NewReader("abcd")), "abcd", ""},
		"too long": {strings.NewReader("abcde"), "", "over 4 bytes"},
		"broken":   {iotest.ErrReader(broken), "", "broken"},
	} {
		got, err := Read(tt.r, 4)
		if string(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
