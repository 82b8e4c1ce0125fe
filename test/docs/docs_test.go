// Package docs tests that what is documented exists, and the other way round.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every option that --help lists is in the man page, and every option in the
// man page is in --help.
func TestManPagesNameEveryOption(t *testing.T) {
	pages := map[string][][]string{
		"ldm.8":               {{"ldm", "run"}, {"ldm", "check"}, {"ldm", "status"}},
		"ldm-session.1":       {{"ldm-session"}},
		"ltsp-localapps.1":    {{"ltsp-localapps"}},
		"ltsp-server-agent.8": agentCommands(t),
	}
	listed := regexp.MustCompile(`(?m)^  (--?[a-z0-9][a-z0-9-]*)`)
	written := regexp.MustCompile(`Fl (-?[a-z0-9][a-z0-9-]*)`)
	for page, commands := range pages {
		text, err := os.ReadFile(filepath.Join("../../docs/man", page))
		if err != nil {
			t.Fatal(err)
		}
		documented, used := make(map[string]bool), make(map[string]bool)
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			documented["-"+m[1]] = true
		}
		for _, command := range commands {
			for _, m := range listed.FindAllStringSubmatch(help(t, command), -1) {
				if m[1] == "--help" || m[1] == "--version" {
					continue
				}
				if !documented[m[1]] {
					t.Errorf("%s does not have %s of %v", page, m[1], command)
				}
				used[m[1]] = true
			}
		}
		for option := range documented {
			if !used[option] {
				t.Errorf("%s has %s, which no command takes", page, option)
			}
		}
	}
}

// agentCommands lists the agent's commands, as its --help does.
func agentCommands(t *testing.T) [][]string {
	commands := [][]string{}
	_, list, _ := strings.Cut(help(t, []string{"ltsp-server-agent"}), "commands:\n")
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+)  `).FindAllStringSubmatch(list, -1) {
		commands = append(commands, []string{"ltsp-server-agent", m[1]})
	}
	if len(commands) == 0 {
		t.Fatal("the agent has no commands")
	}
	return commands
}

func help(t *testing.T, command []string) string {
	t.Helper()
	args := append([]string{"run", "../../cmd/" + command[0]}, command[1:]...)
	cmd := exec.Command("go", append(args, "--help")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

// Links between the documents lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/decisions/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
}

// Every setting that ldm knows is in the configuration's table.
func TestSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "../../cmd/ldm", "check", "--config", os.DevNull)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, "=")
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s is not documented", name)
		}
	}
}
