package passwd

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"goldm/internal/text"
)

const (
	maxPrompt = 8 << 10  // bytes of a line that is not ended
	maxOutput = 64 << 10 // bytes of all that a program may say
)

// A line that looks like a question is one when nothing has followed it for a
// while in which the network may have torn a write apart; another that is not
// ended, after a time in which a slow program would have gone on.
const (
	afterQuestion = 300 * time.Millisecond
	afterOther    = 2 * time.Second
)

// screen takes apart what a program writes: into whole lines, and one that is
// not ended.
type screen struct {
	lines  strings.Builder // whole, each ended by LF
	tail   []byte          // the line that is not ended
	budget int             // bytes that are still allowed
}

func newScreen() *screen { return &screen{budget: maxOutput} }

// write takes output as it comes, torn anywhere.
func (s *screen) write(output []byte) error {
	s.budget -= len(output)
	if s.budget < 0 {
		return errTooMuch
	}
	s.tail = append(s.tail, output...)
	for {
		line, rest, whole := bytes.Cut(s.tail, []byte("\n"))
		if !whole {
			break
		}
		s.lines.Write(bytes.TrimRight(line, "\r"))
		s.lines.WriteByte('\n')
		s.tail = rest
	}
	if len(s.tail) > maxPrompt {
		return errTooMuch
	}
	return nil
}

// said returns the whole lines and forgets them; empty where they are blank.
func (s *screen) said() string {
	lines := strings.Trim(s.lines.String(), "\n")
	s.lines.Reset()
	if strings.TrimSpace(lines) == "" {
		return ""
	}
	return lines
}

// question returns the line that is not ended, and forgets it.
func (s *screen) question() string {
	question := string(bytes.TrimLeft(s.tail, "\r"))
	s.tail = nil
	return question
}

// wait is how long to wait until the line that is not ended is a question; false
// where there is none.
func (s *screen) wait() (time.Duration, bool) {
	shown := strings.TrimSpace(text.Harmless(string(s.tail), maxPrompt))
	if shown == "" {
		return 0, false
	}
	last, _ := utf8.DecodeLastRuneInString(shown)
	if strings.ContainsRune(":?>：？؟;", last) { // the Greek question mark looks like a semicolon
		return afterQuestion, true
	}
	return afterOther, true
}
