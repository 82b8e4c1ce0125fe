package sshtest

import (
	"context"
	"errors"
	"sync"

	"goldm/session/prompt"
)

// Person is a Prompter that answers from a list and remembers what it saw.
type Person struct {
	mu      sync.Mutex
	answers []string
	seen    []any // prompt.Question or prompt.Notice
}

// NewPerson returns a person who gives these answers, in this order, and then
// gives up.
func NewPerson(answers ...string) *Person { return &Person{answers: answers} }

// ErrGaveUp is the error of a question for which there is no answer.
var ErrGaveUp = errors.New("the person gave up")

// Ask implements prompt.Prompter.
func (p *Person) Ask(_ context.Context, q prompt.Question) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, q)
	if len(p.answers) == 0 {
		return "", ErrGaveUp
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return answer, nil
}

// Show implements prompt.Prompter.
func (p *Person) Show(_ context.Context, n prompt.Notice) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, n)
	return nil
}

// Seen returns what the person was shown and asked, in order.
func (p *Person) Seen() []any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]any(nil), p.seen...)
}
