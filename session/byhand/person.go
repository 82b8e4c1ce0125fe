package byhand

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/session/prompt"
)

// maxText bounds what is shown of a question or a notice, in runes, and maxAnswer
// what is read of an answer, in bytes.
const (
	maxText   = 4000
	maxAnswer = 64 << 10
)

// way is a way to reach the person.
type way interface {
	ready() bool
	ask(ctx context.Context, question string, echo bool) (answer string, err error)
	show(ctx context.Context, notice string) error
}

// person is the prompter for whoever started us. Each question takes the first
// way that is ready then: a job may be moved between background and foreground.
type person struct {
	terminal way
	others   []way     // in order
	stderr   io.Writer // for notices, where there is no way at all
}

func (p *person) way() way {
	for _, w := range append([]way{p.terminal}, p.others...) {
		if w.ready() {
			return w
		}
	}
	return nil
}

// Ask implements prompt.Prompter.
func (p *person) Ask(ctx context.Context, q prompt.Question) (string, error) {
	w := p.way()
	if w == nil {
		return "", failure.New(nil, "There is a question to answer (%s), but neither a terminal nor a display to ask on. "+
			"Use a key, or set SSH_ASKPASS.", text.Line(q.Text, 80))
	}
	return w.ask(ctx, text.Harmless(q.Text, maxText), q.Echo)
}

// Show implements prompt.Prompter.
func (p *person) Show(ctx context.Context, n prompt.Notice) error {
	notice := text.Harmless(n.Text, maxText)
	if w := p.way(); w != nil {
		return w.show(ctx, notice)
	}
	_, err := fmt.Fprintln(p.stderr, notice)
	return err
}

// confirm asks whether to trust a server that nobody knows. Only the terminal
// counts, as with ssh: elsewhere a person cannot copy a fingerprint to compare.
func (p *person) confirm(ctx context.Context, host string, key ssh.PublicKey) (bool, error) {
	question := fmt.Sprintf("The server %s is not known. Its %s key has the fingerprint\n%s\n"+
		"Go on and remember it? (yes/no) ", host, key.Type(), ssh.FingerprintSHA256(key))
	for p.terminal.ready() {
		answer, err := p.terminal.ask(ctx, question, true)
		switch {
		case err != nil:
			return false, err
		case answer == "yes":
			return true, nil
		case answer == "no":
			return false, nil
		}
		question = "Type yes or no: "
	}
	return false, nil
}
