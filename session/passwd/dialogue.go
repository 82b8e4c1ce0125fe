package passwd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"goldm/session/prompt"
)

const (
	maxQuestions = 40 // three rounds of passwd have twelve
	// maxAnswer is what fits into one line of a terminal and one answer of PAM
	// (PAM_MAX_RESP_SIZE, pam_conv(3)), in bytes.
	maxAnswer = 500
)

// ErrDialogue is in the chain of an error that is the program's: it says or asks
// too much, or nothing.
var ErrDialogue = errors.New("no dialogue about a password")

var (
	errTooMuch   = fmt.Errorf("%w: too much text", ErrDialogue)
	errQuestions = fmt.Errorf("%w: too many questions", ErrDialogue)
	errSilent    = fmt.Errorf("%w: silence", ErrDialogue)
)

// Config describes a dialogue.
type Config struct {
	// Terminal is the program's, without echo. Run closes it.
	Terminal io.ReadWriteCloser

	Prompter prompt.Prompter

	// Turn is how long the program may be silent when it is its turn.
	Turn time.Duration
}

// Outcome is what is known when the program has ended. Whether it changed the
// password its exit status tells, which is the caller's.
type Outcome struct {
	// Password is the last answer, where it was given twice in a row, as a new
	// password is; else empty.
	Password string

	// Said is what the program said since the last answer.
	Said string
}

// dialogue is one run of a program.
type dialogue struct {
	Config
	screen  *screen
	answers []string
	asked   map[string]bool
}

// Run carries on the dialogue until the program's output ends.
func Run(ctx context.Context, config Config) (Outcome, error) {
	d := &dialogue{Config: config, screen: newScreen(), asked: make(map[string]bool)}
	output := make(chan []byte)
	stop := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { d.read(output, stop) })
	err := d.run(ctx, output)
	close(stop)
	d.Terminal.Close()
	reading.Wait()
	d.screen.write([]byte("\n")) // the last line may not be ended
	return Outcome{Password: d.repeated(), Said: d.screen.said()}, err
}

// read passes on what the program writes.
func (d *dialogue) read(output chan<- []byte, stop <-chan struct{}) {
	defer close(output)
	for {
		part := make([]byte, 1024)
		n, err := d.Terminal.Read(part)
		if n > 0 {
			select {
			case output <- part[:n]:
			case <-stop:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (d *dialogue) run(ctx context.Context, output <-chan []byte) error {
	timer := time.NewTimer(d.Turn)
	defer timer.Stop()
	for {
		select {
		case part, more := <-output:
			if !more {
				return nil
			}
			if err := d.screen.write(part); err != nil {
				return err
			}
		case <-timer.C:
			if _, asks := d.screen.wait(); !asks {
				return errSilent
			}
			if err := d.ask(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait, asks := d.screen.wait()
		if !asks {
			wait = d.Turn
		}
		timer.Reset(wait)
	}
}

// ask asks the question that the program waits at, after what it said before.
func (d *dialogue) ask(ctx context.Context) error {
	q := prompt.Question{Text: d.screen.question()}
	if said := d.screen.said(); said != "" {
		// A question that comes again was not answered to the program's liking.
		if err := d.Prompter.Show(ctx, prompt.Notice{Text: said, Error: d.asked[q.Text]}); err != nil {
			return fmt.Errorf("show: %w", err)
		}
	}
	d.asked[q.Text] = true
	for range maxQuestions - len(d.answers) {
		answer, err := d.Prompter.Ask(ctx, q)
		if err != nil {
			return fmt.Errorf("ask: %w", err)
		}
		if !typeable(answer) {
			notice := prompt.Notice{Text: "This is too long, or has characters that cannot be typed. Choose another one.", Error: true}
			if err := d.Prompter.Show(ctx, notice); err != nil {
				return fmt.Errorf("show: %w", err)
			}
			continue
		}
		d.answers = append(d.answers, answer)
		// Where the program has ended meanwhile, its output says so.
		io.WriteString(d.Terminal, answer+"\n")
		return nil
	}
	return errQuestions
}

// typeable reports whether an answer is one line of a terminal.
func typeable(answer string) bool {
	return len(answer) <= maxAnswer && !strings.ContainsFunc(answer, unicode.IsControl)
}

// repeated returns the last answer if it was given twice in a row.
func (d *dialogue) repeated() string {
	n := len(d.answers)
	if n < 2 || d.answers[n-1] != d.answers[n-2] {
		return ""
	}
	return d.answers[n-1]
}
