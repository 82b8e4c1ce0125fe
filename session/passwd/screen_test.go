package passwd

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// However output is torn, the same comes of it, and nothing but line ends is lost.
func FuzzScreen(f *testing.F) {
	f.Add([]byte("Changing password for anna.\r\nCurrent password: "), uint8(3))
	f.Add([]byte("\x1b[2J\r\r\n\n\xff\xfeпароль"), uint8(1))
	f.Add(bytes.Repeat([]byte("x"), maxPrompt+1), uint8(200))
	f.Fuzz(func(t *testing.T, output []byte, size uint8) {
		whole, torn := newScreen(), newScreen()
		errWhole := whole.write(output)
		var errTorn error
		for part := range slices.Chunk(output, max(int(size), 1)) {
			if errTorn = torn.write(part); errTorn != nil {
				break
			}
		}
		if errWhole != nil || errTorn != nil {
			return // only a part of the whole may have been too long a line
		}
		_, asks := whole.wait()
		question, said := whole.question(), whole.said()
		if q, s := torn.question(), torn.said(); q != question || s != said {
			t.Errorf("torn: %q after %q; whole: %q after %q", q, s, question, said)
		}
		if asks && strings.TrimSpace(question) == "" {
			t.Errorf("asks %q", question)
		}
		if strings.Contains(question, "\n") || len(question) > maxPrompt || len(said) > len(output) {
			t.Errorf("question %q, said %q of %q", question, said, output)
		}
	})
}
