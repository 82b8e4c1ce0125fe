package desktop

import (
	"os/exec"
	"testing"
)

// A command line sees the variables, and is otherwise what it was to its shell.
func TestWithEnv(t *testing.T) {
	env := map[string]string{"PULSE_SERVER": "unix:/run/it's/native", "B": "two  blanks"}
	for line, want := range map[string]string{
		`echo "$PULSE_SERVER|$B"`:                                 "unix:/run/it's/native|two  blanks\n",
		`a='$B'; printf '%s\n' "$a" | tr B C; exit 3`:             "$C\n",
		Command([]string{"printf", "%s|", "a b", "c\nd", "it's"}): "a b|c\nd|it's|",
	} {
		for _, shell := range []string{"/bin/sh", "/bin/bash"} {
			c := exec.Command(shell, "-c", WithEnv(line, env))
			c.Env = []string{"PATH=/usr/bin:/bin", "SHELL=" + shell}
			out, _ := c.Output()
			if string(out) != want {
				t.Errorf("%s: %s: %q, want %q", shell, line, out, want)
			}
		}
	}
	if line := WithEnv("true", nil); line != "true" {
		t.Errorf("without variables: %q", line)
	}
}
