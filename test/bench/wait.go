package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// wait is a time in which a program waited for an answer of its display.
type wait struct {
	conversation int       // which of the program's, from 1
	sequence     int       // of the request; 0 for the setup
	at           time.Time // when it was over
	took         time.Duration
	request      string   // its name
	subject      string   // what it asked for, if that has a name
	behind       []string // what was sent since the last wait, before it
}

// what is the request with its subject.
func (w wait) what() string { return strings.TrimSpace(w.request + " " + w.subject) }

// line writes it down.
func (w wait) line() string {
	fields := []string{
		strconv.Itoa(w.conversation), strconv.Itoa(w.sequence), strconv.FormatInt(w.at.UnixMicro(), 10), strconv.FormatInt(w.took.Microseconds(), 10),
		w.request, printable(w.subject), strings.Join(w.behind, ","),
	}
	return strings.Join(fields, "\t") + "\n"
}

// printable leaves out of a name what would break a line.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) || r == '|' {
			return '?'
		}
		return r
	}, name)
}

// parseWaits reads lines.
func parseWaits(text string) (waits []wait, err error) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 7 {
			return nil, fmt.Errorf("wait %q: want seven fields", line)
		}
		var numbers [4]int64
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
				return nil, fmt.Errorf("wait %q: %w", line, err)
			}
		}
		w := wait{
			conversation: int(numbers[0]), sequence: int(numbers[1]), at: time.UnixMicro(numbers[2]),
			took: time.Duration(numbers[3]) * time.Microsecond, request: f[4], subject: f[5],
		}
		if f[6] != "" {
			w.behind = strings.Split(f[6], ",")
		}
		waits = append(waits, w)
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
