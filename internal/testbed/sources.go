package testbed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
)

// source is one line of sources.list(5).
type source struct {
	uri, suite string
	components []string
	signedBy   string // a file; empty for apt's own choice
}

// hostSources returns, as text of sources.list(5), where this host gets Debian
// from, for another suite. It is empty where the host has no such sources.
func hostSources(apt fs.FS, suite string) (string, error) {
	all, err := readSources(apt)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, s := range all {
		// Debian's are bookworm, bookworm-updates and bookworm-security, or
		// the same of stable; others call theirs something else.
		base, rest, dash := strings.Cut(s.suite, "-")
		if dash {
			rest = "-" + rest
		}
		if !slices.Contains(s.components, "main") || !slices.Contains([]string{"", "-updates", "-security"}, rest) || !isRelease(base) {
			continue
		}
		options := ""
		if s.signedBy != "" {
			options = "[signed-by=" + s.signedBy + "] "
		}
		fmt.Fprintf(&text, "deb %s%s %s main\n", options, s.uri, suite+rest)
	}
	return text.String(), nil
}

func isRelease(name string) bool {
	return slices.Contains([]string{"stable", "oldstable", "testing", "bookworm", "trixie", "forky"}, name)
}

// readSources reads sources.list and sources.list.d, in both formats.
func readSources(apt fs.FS) ([]source, error) {
	files, err := fs.Glob(apt, "sources.list.d/*")
	if err != nil {
		return nil, err
	}
	var all []source
	for _, name := range append([]string{"sources.list"}, files...) {
		text, err := fs.ReadFile(apt, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch {
		case strings.HasSuffix(name, ".list"):
			all = append(all, parseList(string(text))...)
		case strings.HasSuffix(name, ".sources"):
			all = append(all, parseDeb822(string(text))...)
		}
	}
	return all, nil
}

// parseList reads the one-line format: deb [options] uri suite component….
func parseList(text string) []source {
	var all []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		var s source
		if inside, ok := strings.CutPrefix(strings.TrimSpace(rest), "["); ok {
			options, after, _ := strings.Cut(inside, "]")
			for option := range strings.FieldsSeq(options) {
				if path, ok := strings.CutPrefix(option, "signed-by="); ok {
					s.signedBy = path
				}
			}
			rest = after
		}
		if f := strings.Fields(rest); len(f) >= 3 {
			s.uri, s.suite, s.components = f[0], f[1], f[2:]
			all = append(all, s)
		}
	}
	return all
}

// parseDeb822 reads stanzas of "Field: value" lines; a line that begins with a
// blank continues the one before.
func parseDeb822(text string) []source {
	var all []source
	for _, stanza := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n\n") {
		fields := make(map[string]string)
		var name string
		for line := range strings.Lines(stanza) {
			switch {
			case strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, " "), strings.HasPrefix(line, "\t"):
				fields[name] += " " + strings.TrimSpace(line)
			default:
				var value string
				name, value, _ = strings.Cut(line, ":")
				name = strings.ToLower(strings.TrimSpace(name))
				fields[name] = strings.TrimSpace(value)
			}
		}
		all = append(all, stanzaSources(fields)...)
	}
	return all
}

// stanzaSources returns a stanza's sources, one for each URI and suite.
func stanzaSources(fields map[string]string) []source {
	if !slices.Contains(strings.Fields(fields["types"]), "deb") || strings.EqualFold(fields["enabled"], "no") {
		return nil
	}
	signedBy := fields["signed-by"]
	if !strings.HasPrefix(signedBy, "/") || strings.ContainsAny(signedBy, " \t") {
		signedBy = "" // the key itself, which has no place in the one-line format
	}
	var all []source
	for uri := range strings.FieldsSeq(fields["uris"]) {
		for suite := range strings.FieldsSeq(fields["suites"]) {
			all = append(all, source{uri: uri, suite: suite, components: strings.Fields(fields["components"]), signedBy: signedBy})
		}
	}
	return all
}

// hostAptOptions returns what this host needs to reach its sources: proxies,
// and the leave to use old ones. mmdebstrap's apt does not read it itself.
func hostAptOptions(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "--no-empty", "--format", "%f \"%v\"%n",
		"Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::ForceIPv4").Output()
	if err != nil {
		return nil // no apt options then
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
