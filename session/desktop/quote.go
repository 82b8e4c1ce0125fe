package desktop

import (
	"maps"
	"slices"
	"strings"
)

// Command returns the command line for the words of a remote command: as
// with ssh(1) a single word is shell text for the login shell; several are an
// argument list, whose words arrive as they are.
func Command(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	var script strings.Builder
	if strings.Contains(strings.Join(words, ""), "\n") {
		script.WriteString(newline)
	}
	for i, word := range words {
		if i > 0 {
			script.WriteByte(' ')
		}
		script.WriteString(quote(word))
	}
	return anyShell(script.String())
}

// WithEnv returns a command line that runs another one as the SSH daemon would, by the
// user's login shell, with variables set, which must be valid names.
func WithEnv(line string, env map[string]string) string {
	if len(env) == 0 {
		return line
	}
	words := []string{"exec", "env"} // else a signal that ends the command is a shell's status
	for _, name := range slices.Sorted(maps.Keys(env)) {
		words = append(words, name+"="+env[name])
	}
	script := `exec "${SHELL:-/bin/sh}" -c "$1"`
	if env[windowVariable] != "" {
		script = `LTSP_LOCALAPPS="$DISPLAY $` + windowVariable + `"; export LTSP_LOCALAPPS; ` + script
	}
	return Command(append(words, "/bin/sh", "-c", script, "sh", line))
}

// newline makes a variable of a line feed, which cannot stand in the line itself:
// tcsh takes none between single quotes. The x keeps $() from dropping it.
const newline = `ldm_nl=$(printf "\nx"); ldm_nl=${ldm_nl%x}; `

// quote makes a word of a POSIX shell's script (XCU 2.2.2) in which newline has
// run, if there are line feeds.
func quote(word string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "\n", `'"$ldm_nl"'`).Replace(word) + "'"
}

// anyShell returns a command line that runs a script of one line in /bin/sh,
// from whatever login shell. Between single quotes only three characters
// differ among them: the quote itself; the backslash, which fish takes
// for an escape there; and the exclamation mark, which tcsh takes for history.
// Each stands outside the quotes, after a backslash, where all agree.
func anyShell(script string) string {
	return "exec /bin/sh -c '" + strings.NewReplacer("'", `'\''`, `\`, `'\\'`, "!", `'\!'`).Replace(script) + "'"
}
