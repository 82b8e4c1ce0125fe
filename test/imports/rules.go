// Package imports checks who may import whom: the table of the design, by what
// the Go command says that the packages import.
package imports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rule says what packages may import. Patterns are those of the Go command:
// "a/..." is a and all below.
type rule struct {
	packages string
	only     []string // of this module, what they may import themselves; nil for all
	never    []string // what they may not reach by any way
	heavy    bool     // may link what the server's daemon needs
}

// heavy is what the server's daemon needs for clusters and metrics, and nothing else may link: of
// sessions there are many, and each of their processes would pay for it.
var heavy = []string{
	"go.etcd.io/...", "github.com/prometheus/...",
	"google.golang.org/...", "github.com/golang/protobuf/...", "github.com/gogo/protobuf/...", "go.uber.org/...",
}

// graph holds what each package imports.
type graph map[string][]string

// check returns a complaint for each import that breaks a rule.
func check(g graph, rules []rule) []string {
	var complaints []string
	for _, p := range g.of("goldm/...") {
		at := slices.IndexFunc(rules, func(r rule) bool { return matches(r.packages, p) })
		if at < 0 {
			complaints = append(complaints, p+": no rule says what it may import")
			continue
		}
		complaints = append(complaints, rules[at].check(g, p)...)
	}
	return complaints
}

func (r rule) check(g graph, p string) []string {
	var complaints []string
	for _, i := range g[p] {
		if r.only != nil && matches("goldm/...", i) && !matchesAny(r.only, i) {
			complaints = append(complaints, fmt.Sprintf("%s may not import %s, only %s", p, i, strings.Join(r.only, ", ")))
		}
	}
	never := r.never
	if !r.heavy && !matches("goldm/test/...", p) {
		never = slices.Concat(never, heavy)
	}
	for _, pattern := range never {
		if way := g.path(p, pattern); way != nil {
			complaints = append(complaints, fmt.Sprintf("%s may not reach %s: %s", p, pattern, strings.Join(way, " → ")))
		}
	}
	return complaints
}

// of returns the packages that match a pattern, in order.
func (g graph) of(pattern string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(g)), func(p string) bool { return !matches(pattern, p) })
}

// path returns a shortest chain of imports from a package to one that matches a
// pattern; nil where there is none.
func (g graph) path(from, pattern string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		if p != from && matches(pattern, p) {
			var way []string
			for ; p != ""; p = came[p] {
				way = append(way, p)
			}
			slices.Reverse(way)
			return way
		}
		for _, i := range g[p] {
			if _, seen := came[i]; !seen {
				came[i] = p
				queue = append(queue, i)
			}
		}
	}
	return nil
}

func matches(pattern, p string) bool {
	prefix, tree := strings.CutSuffix(pattern, "/...")
	if pattern == "..." {
		return true
	}
	return p == prefix || tree && strings.HasPrefix(p, prefix+"/")
}

func matchesAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, p) })
}
