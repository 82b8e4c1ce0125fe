package pulse

import (
	"cmp"
	"errors"
	"time"
)

// Limits say how patient a watcher is.
type Limits struct {
	Every  time.Duration // between two questions
	Answer time.Duration // that an answer may take; less than Every
}

// DefaultLimits notice a peer that hangs within 25 seconds: two intervals, and the last answer's limit.
func DefaultLimits() Limits { return Limits{Every: 10 * time.Second, Answer: 5 * time.Second} }

// OrDefault fills zero fields with those of DefaultLimits.
func (l Limits) OrDefault() Limits {
	d := DefaultLimits()
	return Limits{Every: cmp.Or(l.Every, d.Every), Answer: cmp.Or(l.Answer, d.Answer)}
}

// maxMisses is how many signs of life in a row are missing when a peer hangs.
const maxMisses = 2

// ErrHung is the error for a peer that hangs.
var ErrHung = errors.New("it hangs: two signs of life in a row are missing")
