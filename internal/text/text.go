// Package text makes text from strangers (a server's prompt, a banner, a
// hostname) harmless to show on a terminal, in a window or in a log, and leaves
// what people write in any script as it was.
package text

import (
	"regexp"
	"strings"
	"unicode"
)

// maxMarks is how many combining marks one letter may carry. Real languages need
// up to four (Vietnamese, Hebrew with points and accents); hundreds of them
// paint over the lines above and below.
const maxMarks = 6

// escapes matches the control sequences of ECMA-48 whole, in their 7-bit and
// 8-bit forms: CSI sequences (5.4); control strings such as OSC, which ends at
// ST or, in xterm, at BEL (5.6); two-character and designating sequences
// (5.3, ECMA-35 13). A control string without an end matches as its
// two-character beginning only, so that it cannot hide the text that follows.
var escapes = regexp.MustCompile(
	`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]` +
		`|(?:\x1b[PX\]^_]|[\x{90}\x{98}\x{9d}-\x{9f}])[^\x00-\x1f\x7f-\x{9f}]*(?:\x07|\x1b\\|\x{9c})` +
		`|\x1b[ -/]*[0-~]`)

// hidden holds format characters that reorder or hide their neighbours, or that
// nobody sees: bidirectional embeddings, overrides and isolates, invisible
// operators, interlinear annotations, tags. The joiners U+200C and U+200D and the
// marks U+200E, U+200F and U+061C stay: Persian, Hindi, Hebrew and Arabic use them.
var hidden = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00AD, Hi: 0x00AD, Stride: 1},
		{Lo: 0x180E, Hi: 0x180E, Stride: 1},
		{Lo: 0x200B, Hi: 0x200B, Stride: 1},
		{Lo: 0x202A, Hi: 0x202E, Stride: 1},
		{Lo: 0x2060, Hi: 0x206F, Stride: 1},
		{Lo: 0xFEFF, Hi: 0xFEFF, Stride: 1},
		{Lo: 0xFFF9, Hi: 0xFFFB, Stride: 1},
	},
	R32:         []unicode.Range32{{Lo: 0xE0000, Hi: 0xE007F, Stride: 1}},
	LatinOffset: 1,
}

// Harmless returns s as valid UTF-8 without control characters, escape
// sequences and characters that reorder or hide others. Lines stay lines, each
// ended by LF but the last; a tab becomes a space. What is longer than limit
// runes is cut there and ends in "…".
func Harmless(s string, limit int) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.TrimRight(escapes.ReplaceAllString(s, ""), "\r\n")
	var out []rune
	marks := 0
	for _, r := range s {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		r, shown := harmless(r)
		if !shown || marks > maxMarks {
			continue
		}
		if len(out) == limit {
			return cut(out)
		}
		out = append(out, r)
	}
	return strings.TrimRight(string(out), "\n")
}

// Line is Harmless for where there is room for one line only: the lines of s
// are joined by blanks.
func Line(s string, limit int) string {
	return strings.ReplaceAll(Harmless(s, limit), "\n", " ")
}

// harmless returns what stands for r, or false where nothing does. An invalid
// byte has come as U+FFFD.
func harmless(r rune) (rune, bool) {
	switch r {
	case '\n', '\r', '\u0085', '\u2028', '\u2029':
		return '\n', true
	case '\t':
		return ' ', true
	}
	return r, !unicode.IsControl(r) && !unicode.Is(hidden, r)
}

// cut puts an ellipsis in place of the last rune.
func cut(out []rune) string {
	if len(out) == 0 {
		return ""
	}
	out[len(out)-1] = '…'
	return string(out)
}
