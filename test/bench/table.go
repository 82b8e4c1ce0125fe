package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// table is one in Markdown, aligned for who reads it as it is.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	lines := append([][]string{t.head}, t.rows...)
	widths := make([]int, len(t.head))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	if t.title != "" {
		fmt.Fprintf(&b, "%s\n\n", t.title)
	}
	for n, line := range lines {
		writeLine(&b, line, widths)
		if n == 0 {
			rule := make([]string, len(widths))
			for i, w := range widths {
				rule[i] = strings.Repeat("-", w-1) + ":"
			}
			rule[0] = strings.Repeat("-", widths[0])
			writeLine(&b, rule, widths)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// writeLine writes a line whose first cell stands left and whose others right.
func writeLine(b *strings.Builder, cells []string, widths []int) {
	for i, w := range widths {
		cell := ""
		if i < len(cells) {
			cell = cells[i]
		}
		space := strings.Repeat(" ", w-utf8.RuneCountInString(cell))
		if i == 0 {
			fmt.Fprintf(b, "| %s%s ", cell, space)
			continue
		}
		fmt.Fprintf(b, "| %s%s ", space, cell)
	}
	b.WriteString("|\n")
}

// sample is what one way gave in each run; a run that failed is missing.
type sample []float64

// median is the middle one; 0 of none.
func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is from the least to the most.
func (s sample) spread() (least, most float64) {
	if len(s) == 0 {
		return 0, 0
	}
	return slices.Min(s), slices.Max(s)
}

// cell is the median with its spread, in digits that a person can use.
func (s sample) cell() string {
	if len(s) == 0 {
		return "–"
	}
	least, most := s.spread()
	return fmt.Sprintf("%s (%s–%s)", digits(s.median()), digits(least), digits(most))
}

func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// ratio is that of two ways' medians, all taken in turns.
func ratio(a, b sample) string {
	if len(a) == 0 || len(b) == 0 || b.median() == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a.median()/b.median())
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
