// Package failure carries sentences for the person at the screen through
// ordinary errors, apart from the cause, which is for the log.
//
// A sentence says what happened, to what, and what to do. It starts with a
// capital letter, ends with a full stop, and has no jargon, path or number that
// the reader cannot act on.
package failure

import (
	"errors"
	"fmt"
)

// Failure is an error that has a sentence for the person.
type Failure struct {
	Sentence string
	Refused  bool  // a server refused the user or the answers; trying again may help
	Cause    error // for the log; may be nil
}

// New returns a failure with a formatted sentence.
func New(cause error, format string, args ...any) *Failure {
	return &Failure{Sentence: fmt.Sprintf(format, args...), Cause: cause}
}

// Refuse is New for a server that refused the user or the answers.
func Refuse(cause error, format string, args ...any) *Failure {
	f := New(cause, format, args...)
	f.Refused = true
	return f
}

// Error gives sentence and cause, as a log wants them.
func (f *Failure) Error() string {
	if f.Cause == nil {
		return f.Sentence
	}
	return f.Sentence + " (" + f.Cause.Error() + ")"
}

func (f *Failure) Unwrap() error { return f.Cause }

// Of returns the outermost failure in err's chain, or one that says only that
// something went wrong, with err as its cause. Of(nil) is nil.
func Of(err error) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return New(err, "Something went wrong. The log says what.")
}
