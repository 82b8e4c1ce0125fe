package auth

import (
	"errors"
	"fmt"
	"strings"

	"goldm/internal/failure"
	"goldm/session/prompt"
)

// challenge is a round of RFC 4256: texts to read, and any number of
// questions, each asked as it came.
func (d *Dialogue) challenge(name, instruction string, questions []string, echos []bool) ([]string, error) {
	d.lock()
	defer d.mu.Unlock()
	if err := d.budget.round(len(name)+len(instruction), questions); err != nil {
		return nil, d.end(d.tooMuch(err))
	}
	d.tell(joined(name, instruction))
	if len(questions) == 0 {
		d.showLater()
		return []string{}, d.err
	}
	answers := make([]string, len(questions))
	for i, text := range questions {
		before, question := Split(text)
		d.tell(before)
		if d.repeats[question] {
			d.blame()
		}
		d.repeats[question] = true
		answer, err := d.ask(prompt.Question{Text: question, Echo: echos[i]})
		if err != nil {
			return nil, err
		}
		answers[i] = answer
	}
	return answers, nil
}

// Split takes what stands in the lines before a question from it: sshd glues
// PAM's messages in front of PAM's next question. A question's own line ends are
// left to it.
func Split(text string) (before, question string) {
	last := strings.LastIndexByte(strings.TrimRight(text, "\r\n"), '\n') + 1
	return text[:last], text[last:]
}

// blame marks what waits to be shown as trouble. A question that comes again was
// not answered to the server's liking, and what it says before it is why; sshd
// does not tell PAM's errors from its other messages.
func (d *Dialogue) blame() {
	for i := range d.queue {
		d.queue[i].Error = true
	}
}

// banner takes a text of RFC 4252, section 5.4. It is shown before the next
// question, or is the reason for a refusal.
func (d *Dialogue) banner(message string) error {
	d.lock()
	defer d.mu.Unlock()
	if err := d.budget.banner(len(message)); err != nil {
		return d.end(d.tooMuch(err))
	}
	d.warned = true
	d.tell(message)
	return nil
}

// tell queues a text of the server for the person.
func (d *Dialogue) tell(message string) {
	if strings.TrimSpace(message) == "" {
		return
	}
	d.queue = append(d.queue, prompt.Notice{Text: message})
	d.said = append(d.said, strings.TrimSpace(message))
}

// joined is name and instruction of a round as one text.
func joined(name, instruction string) string {
	if name == "" || instruction == "" {
		return name + instruction
	}
	return name + "\n" + instruction
}

func (d *Dialogue) tooMuch(err error) error {
	return failure.New(err, "The server %s asks or says more than a login needs, so the login was ended. Ask the administrator.",
		d.config.Server)
}

// budget is what a server may still say before it is told to be quiet. PAM's
// longest dialogue, an expired password with three tries, takes a dozen rounds.
type budget struct {
	rounds, questions, roundText, bannerText int
}

const (
	maxQuestion  = 8 << 10 // bytes of one question
	bannerCharge = 512     // bytes that even an empty banner costs
)

func newBudget() budget {
	return budget{rounds: 50, questions: 100, roundText: 128 << 10, bannerText: 64 << 10}
}

// round charges a round of keyboard-interactive.
func (b *budget) round(text int, questions []string) error {
	b.rounds--
	b.questions -= len(questions)
	b.roundText -= text
	for _, q := range questions {
		if len(q) > maxQuestion {
			return fmt.Errorf("question of %d bytes: the limit is %d", len(q), maxQuestion)
		}
		b.roundText -= len(q)
	}
	switch {
	case b.rounds < 0:
		return errors.New("too many rounds of questions")
	case b.questions < 0:
		return errors.New("too many questions")
	case b.roundText < 0:
		return errors.New("too much text with the questions")
	}
	return nil
}

// banner charges a banner.
func (b *budget) banner(text int) error {
	b.bannerText -= max(text, bannerCharge)
	if b.bannerText < 0 {
		return errors.New("too much text in banners")
	}
	return nil
}
