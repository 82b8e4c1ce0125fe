package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// wait is a time in which a program waited for an answer of its display.
type wait struct {
	conversation int           // which of the program's, from 1
	sequence     int           // of the request; 0 for the setup
	at           time.Duration // when it was over, since the program's start
	took         time.Duration
	request      string   // its name
	subject      string   // what it asked for, if that has a name
	behind       []string // what was sent since the last wait, before it
}

// what is the request with its subject.
func (w wait) what() string { return strings.TrimSpace(w.request + " " + w.subject) }

// appendWaits writes the number of waits, and a line for each.
func appendWaits(b []byte, waits []wait) []byte {
	b = fmt.Appendln(b, len(waits))
	for _, w := range waits {
		fields := []string{
			strconv.Itoa(w.conversation), strconv.Itoa(w.sequence), microseconds(w.at), microseconds(w.took),
			w.request, printable(w.subject), strings.Join(w.behind, ","),
		}
		b = fmt.Appendln(b, strings.Join(fields, "\t"))
	}
	return b
}

func microseconds(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// printable leaves out of a name what would break a line.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) || r == '|' {
			return '?'
		}
		return r
	}, name)
}

// parseWaits reads what appendWaits writes.
func parseWaits(text string) (waits []wait, err error) {
	count, rest, _ := strings.Cut(text, "\n")
	for line := range strings.Lines(rest) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 7 {
			return nil, fmt.Errorf("wait %q: want seven fields", line)
		}
		var numbers [4]int
		for i := range numbers {
			if numbers[i], err = strconv.Atoi(f[i]); err != nil {
				return nil, fmt.Errorf("wait %q: %w", line, err)
			}
		}
		w := wait{
			conversation: numbers[0], sequence: numbers[1], at: time.Duration(numbers[2]) * time.Microsecond,
			took: time.Duration(numbers[3]) * time.Microsecond, request: f[4], subject: f[5],
		}
		if f[6] != "" {
			w.behind = strings.Split(f[6], ",")
		}
		waits = append(waits, w)
	}
	if count != strconv.Itoa(len(waits)) {
		return nil, fmt.Errorf("%q waits, and %d lines", count, len(waits))
	}
	return waits, nil
}

// inShort names each once in a row, with how often.
func inShort(names []string) string {
	var words []string
	for i := 0; i < len(names); {
		n := 1
		for i+n < len(names) && names[i+n] == names[i] {
			n++
		}
		word := names[i]
		if n > 1 {
			word += fmt.Sprintf(" ×%d", n)
		}
		words, i = append(words, word), i+n
	}
	return strings.Join(words, ", ")
}
