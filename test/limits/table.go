package limits

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// row is a bound as the table has it.
type row struct{ name, value, why, said string }

func (r row) String() string {
	return fmt.Sprintf("| `%s` | %s | %s | %s |", r.name, r.value, r.why, r.said)
}

// table is docs/internals/limits.md.
type table struct {
	intro    string
	packages map[string][]row
}

var rowForm = regexp.MustCompile("^\\| `(\\w+)` \\| ([^|]*?) *\\| *([^|]*?) *\\| *([^|]*?) *\\|$")

// parseTable reads the page.
func parseTable(page string) (*table, error) {
	t := &table{packages: make(map[string][]row)}
	intro, rest, _ := strings.Cut(page, "\n## ")
	t.intro = strings.TrimSpace(intro)
	for section := range strings.SplitSeq("\n"+rest, "\n## ") {
		folder, lines, _ := strings.Cut(strings.TrimPrefix(section, "\n"), "\n")
		for line := range strings.Lines(lines) {
			line = strings.TrimSpace(line)
			m := rowForm.FindStringSubmatch(line)
			switch {
			case m != nil:
				t.packages[folder] = append(t.packages[folder], row{m[1], m[2], m[3], m[4]})
			case line != "" && !strings.HasPrefix(line, "| constant") && !strings.HasPrefix(line, "|---"):
				return nil, fmt.Errorf("under %s there is no row in the line %q", folder, line)
			}
		}
	}
	return t, nil
}

func (t *table) String() string {
	var b strings.Builder
	b.WriteString(t.intro + "\n")
	for _, folder := range slices.Sorted(maps.Keys(t.packages)) {
		fmt.Fprintf(&b, "\n## %s\n\n| constant | value | why | when it is met |\n|---|---|---|---|\n", folder)
		for _, r := range t.packages[folder] {
			fmt.Fprintln(&b, r)
		}
	}
	return b.String()
}

// update returns the table with the source's values. Rows that are new have no reason; those that are gone are left out.
func (t *table) update(source map[string][]found) *table {
	updated := &table{intro: t.intro, packages: make(map[string][]row)}
	for folder, constants := range source {
		for _, c := range constants {
			r, listed := t.row(folder, c.name)
			if !listed && !c.bounds {
				continue
			}
			r.name, r.value = c.name, c.value
			if rows := updated.packages[folder]; len(rows) > 0 && rows[len(rows)-1].name == r.name {
				continue // the same name in two functions, which check tells of where the values differ
			}
			updated.packages[folder] = append(updated.packages[folder], r)
		}
	}
	return updated
}

func (t *table) row(folder, name string) (row, bool) {
	i := slices.IndexFunc(t.packages[folder], func(r row) bool { return r.name == name })
	if i < 0 {
		return row{}, false
	}
	return t.packages[folder][i], true
}

// check returns what has to be changed in the table, a line for each change.
func (t *table) check(source map[string][]found) []string {
	var changes []string
	change := func(folder, form string, args ...any) {
		changes = append(changes, fmt.Sprintf("under ## %s ", folder)+fmt.Sprintf(form, args...))
	}
	for folder, constants := range source {
		for _, c := range constants {
			r, listed := t.row(folder, c.name)
			want := row{c.name, c.value, r.why, r.said}
			switch {
			case !listed && c.bounds:
				change(folder, "add, for %v: %v", c.at, want)
			case listed && r != want:
				change(folder, "change the value, for %v: %v", c.at, want)
			case listed && (r.why == "" || r.said == ""):
				change(folder, "say why, and what is said: %v", r)
			}
		}
	}
	for folder, rows := range t.packages {
		for _, r := range rows {
			if !slices.ContainsFunc(source[folder], func(c found) bool { return c.name == r.name }) {
				change(folder, "remove, since the source has it no more: %v", r)
			}
		}
	}
	slices.Sort(changes)
	return changes
}
