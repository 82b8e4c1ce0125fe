package limits

import (
	"flag"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table's values, and add rows")

const page = "../../docs/internals/limits.md"

func TestTable(t *testing.T) {
	s := newSource("../..")
	if err := s.read(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	table, err := parseTable(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		table = table.update(s.found)
		if err := os.WriteFile(page, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, change := range table.check(s.found) {
		t.Errorf("docs/internals/limits.md: %s", change)
	}
}

// TestChecks makes a table wrong in each way.
func TestChecks(t *testing.T) {
	at := token.Position{Filename: "a.go", Line: 7}
	source := map[string][]found{"ldm": {
		{"maxGone", "", true, at}, {"maxNew", "5", true, at}, {"maxOld", "64 Ki", true, at}, {"maxRight", "1 s", true, at}, {"other", "3", false, at},
	}}
	source["ldm"] = source["ldm"][1:]
	const written = "# Bounds\n\n## ldm\n\n| constant | value | why | when it is met |\n|---|---|---|---|\n" +
		"| `maxEmpty` | 1 | | |\n| `maxOld` | 32 Ki | why | said |\n| `maxRight` | 1 s | | said |\n"
	table, err := parseTable(written)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"add, for a.go:7: | `maxNew` | 5 |", "change the value, for a.go:7: | `maxOld` | 64 Ki | why | said |",
		"remove, since the source has it no more: | `maxEmpty` | 1 |", "say why, and what is said: | `maxRight` | 1 s |"}
	got := table.check(source)
	if len(got) != len(want) {
		t.Fatalf("changes:\n%s", strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], "under ## ldm "+want[i]) {
			t.Errorf("change %q, want %q", got[i], want[i])
		}
	}
	updated := table.update(source)
	again, err := parseTable(updated.String())
	if err != nil {
		t.Fatal(err)
	}
	if changes := again.check(source); len(changes) != 2 || slices.ContainsFunc(changes, func(c string) bool { return !strings.Contains(c, "say why") }) {
		t.Errorf("after the update there is left: %q", changes)
	}
}
