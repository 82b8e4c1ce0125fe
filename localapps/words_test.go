package localapps

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		``:                              nil,
		"  \t\n":                        nil,
		`firefox`:                       {"firefox"},
		`gedit 'a b.txt'`:               {"gedit", "a b.txt"},
		` gedit  "a  b" c\ d `:          {"gedit", "a  b", "c d"},
		`a "" ''`:                       {"a", "", ""},
		`a "it's" 'say "x"'`:            {"a", "it's", `say "x"`},
		`a "\$x \` + "`" + ` \" \\ \n"`: {"a", "$x ` \" \\ \\n"},
		`a \$x \;\&\|\>\* \'`:           {"a", "$x", ";&|>*", "'"},
		`a '$HOME' '$(id)' '` + "`id`'": {"a", "$HOME", "$(id)", "`id`"},
		`a "b"'c'd\e`:                   {"a", "bcde"},
		`a *.txt ~ {b,c} [x] ?`:         {"a", "*.txt", "~", "{b,c}", "[x]", "?"},
		`a # b`:                         {"a"},
		`a b#c http://x/#y`:             {"a", "b#c", "http://x/#y"},
		"a 'two\nlines'":                {"a", "two\nlines"},
		"a b\\\nc":                      {"a", "bc"},
		`äöü 日本 "é"`:                    {"äöü", "日本", "é"},
		`env A=b wine 'C:\x'`:           {"env", "A=b", "wine", `C:\x`},
		`if then`:                       {"if", "then"},
		`a $`:                           {"a", "$"},
	} {
		got, err := SplitWords(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", line, diff)
		}
	}
	for _, line := range []string{
		`firefox ;id`, `/usr/bin/firefox ;id`, `firefox;id`, `firefox $(id)`, "firefox `id`", `firefox "$(id)"`, "firefox \"`id`\"",
		`firefox & id`, `firefox &`, `firefox && id`, `firefox | id`, `firefox || id`, `firefox > x`, `firefox < x`, `firefox 2>&1`, `firefox >> x`,
		`firefox << x`, `firefox $HOME`, `firefox "$HOME"`, `firefox ${HOME}`, `firefox $((1+1))`, `(firefox)`, `firefox <(id)`,
		"firefox\nid", "firefox \\\n\nid", `firefox 'x`, `firefox "x`, `"`, `'`, "`", "$(", "a\x00b", "a \xff", `firefox "x\"`,
	} {
		if got, err := SplitWords(line); err == nil {
			t.Errorf("%q: %q, and no error", line, got)
		}
	}
}

// FuzzSplitWords compares with the shell, which has to see the same words or more than
// words.
func FuzzSplitWords(f *testing.F) {
	for _, line := range []string{`a 'b c'`, `a "b\"c" d\ e`, `x\`, `a \`, "a\\\nb", `$'a'`, `a$`, `"$"`, "a\r", `"a\
b"`, `a"b'c"'d"e'`, `!`, `{`, `a}`, `=`, `\a`, `"\a"`, `é`, `$""`, `#`, `a\#`, "\v"} {
		f.Add(line)
	}
	shell, err := exec.LookPath("dash")
	if err != nil {
		shell = "sh"
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := SplitWords(line)
		if err != nil || len(words) == 0 {
			return
		}
		if joined := strings.Join(words, ""); len(joined) > len(line) {
			t.Fatalf("%q: %q is longer", line, words)
		}
		if len(line) > 1000 || strings.ContainsAny(line, "~*?[") { // what it would expand
			return
		}
		out, err := exec.Command(shell, "-c", "printf '%s\\0' x "+strings.Trim(line, " \t\n")).Output()
		if err != nil {
			t.Fatalf("%q: %q, but the shell: %v", line, words, err)
		}
		if want := "x\x00" + strings.Join(words, "\x00") + "\x00"; !bytes.Equal(out, []byte(want)) {
			t.Errorf("%q: %q, but the shell has %q", line, want, out)
		}
	})
}
