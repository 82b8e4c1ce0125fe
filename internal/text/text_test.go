package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"goldm/internal/text"
)

func TestHarmless(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "Password: ", "Password: "},
		{"scripts", "Contraseña för Žofie: пароль 密码 كلمة السر", "Contraseña för Žofie: пароль 密码 كلمة السر"},
		{"joiners stay", "می\u200cخواهم क\u094d\u200dष", "می\u200cخواهم क\u094d\u200dष"},
		{"direction marks stay", "\u200fשלום\u200e (1)", "\u200fשלום\u200e (1)"},
		{"lines", "one\r\ntwo\rthree\nfour\r\n\r\n", "one\ntwo\nthree\nfour"},
		{"unicode lines", "one\u2028two\u2029three\u0085four", "one\ntwo\nthree\nfour"},
		{"tab", "a\tb", "a b"},
		{"control", "a\x00b\x07c\x08d\x7fe\u0080f", "abcdef"},
		{"colour", "\x1b[1;31mred\x1b[0m", "red"},
		{"8-bit CSI", "\u009b2Jgone", "gone"},
		{"title", "\x1b]0;owned\x07after", "after"},
		{"title ended by ST", "\x1b]0;owned\x1b\\after", "after"},
		{"device control", "\x1bP1$r0m\x1b\\x", "x"},
		{"control string without an end", "\x1b]0;Your password: ", "0;Your password: "},
		{"control string cut by a line", "\x1b]52;\nnext", "52;\nnext"},
		{"charset", "\x1b(0lqk\x1b(B", "lqk"},
		{"lone escape", "a\x1b", "a"},
		{"override", "txt.\u202egpj\u202c", "txt.gpj"},
		{"isolates", "a\u2066b\u2067c\u2068d\u2069e", "abcde"},
		{"invisible", "pay\u200bpal\u2060\ufeff\u00ad\U000e0041", "paypal"},
		{"marks piled up", "a" + strings.Repeat("\u0301", 100) + "b", "a" + strings.Repeat("\u0301", 6) + "b"},
		{"vietnamese", "Mậ\u0302\u0323t kh\u00e2\u0309u", "Mậ\u0302\u0323t kh\u00e2\u0309u"},
		{"not UTF-8", "caf\xe9!", "caf\ufffd!"},
		{"markup is text", "<b>&amp;</b>", "<b>&amp;</b>"},
		{"nothing", "", ""},
		{"only newlines", "\n\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text.Harmless(c.in, 100); got != c.want {
				t.Errorf("Harmless(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abcd", 4, "abcd"},
		{"abcde", 4, "abc…"},
		{"abcd\n", 4, "abcd"},
		{"abcd\ne", 4, "abc…"},
		{"密码密码密", 4, "密码密…"},
		{"abc\x1b[0m\x00", 3, "abc"},
		{"abc", 0, ""},
		{strings.Repeat("x", 1<<16), 3, "xx…"},
	} {
		if got := text.Harmless(c.in, c.limit); got != c.want {
			t.Errorf("Harmless(%.20q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	if got, want := text.Line("a\r\nb\u2028c\n", 10), "a b c"; got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add("\x1b[1;31mred\x1b]0;title\x07 \u202e \u009b0m", 10)
	f.Add("\x1bP\x1b\x1b\x1b]\u009d\u009d\u009c\xff\xfe", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit &= 0xff
		got := text.Harmless(s, limit)
		if !utf8.ValidString(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		if n := utf8.RuneCountInString(got); n > limit {
			t.Errorf("%d runes, limit %d", n, limit)
		}
		for _, r := range got {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) && r != '\u200e' && r != '\u200f' && r != '\u061c') {
				t.Errorf("%U left in %q", r, got)
			}
		}
		if again := text.Harmless(got, limit); again != got {
			t.Errorf("Harmless twice: %q, then %q", got, again)
		}
	})
}
