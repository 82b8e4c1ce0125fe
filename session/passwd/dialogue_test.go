package passwd_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/session/internal/sshtest"
	"goldm/session/passwd"
	"goldm/session/prompt"
)

// turn is a program's: what it says, in writes that the network keeps apart, and
// then, unless it is the last, reads one line.
type turn []string

const turnLimit = time.Minute

// converse runs a program of turns against a person, and returns the lines that it read.
func converse(t *testing.T, person prompt.Prompter, program []turn) (outcome passwd.Outcome, read []string, err error) {
	t.Helper()
	typed, keyboard := io.Pipe()
	screen, shown := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer shown.Close()
		for i, says := range program {
			for _, part := range says {
				time.Sleep(10 * time.Millisecond) // of the bubble's clock
				if _, err := io.WriteString(shown, part); err != nil {
					return
				}
			}
			if i == len(program)-1 {
				return
			}
			line := make([]byte, 4096)
			n, err := typed.Read(line)
			if err != nil {
				return
			}
			read = append(read, string(line[:n]))
		}
	}()
	outcome, err = passwd.Run(t.Context(), passwd.Config{Terminal: &end{screen, keyboard}, Prompter: person, Turn: turnLimit})
	typed.Close()
	<-done
	return outcome, read, err
}

type end struct {
	*io.PipeReader
	keyboard *io.PipeWriter
}

func (e *end) Write(p []byte) (int, error) { return e.keyboard.Write(p) }
func (e *end) Close() error                { return errors.Join(e.PipeReader.Close(), e.keyboard.Close()) }

func secret(text string) prompt.Question { return prompt.Question{Text: text} }

func TestDialogue(t *testing.T) {
	for name, tt := range map[string]struct {
		program []turn
		answers []string
		seen    []any
		outcome passwd.Outcome
	}{
		"Debian's passwd": {
			program: []turn{
				{"WARNING: Your password has expired.\r\n", "Changing password for anna.\r\nCurrent ", "password: "},
				{"\r\nNew password: "},
				{"\r\nRetype new password: "},
				{"\r\nYou must choose a longer password.\r\n", "New password: "},
				{"\r\nRetype new password: "},
				{"\r\npasswd: password updated successfully\r\n"},
			},
			answers: []string{"old", "x", "x", "neu ä€", "neu ä€"},
			seen: []any{
				prompt.Notice{Text: "WARNING: Your password has expired.\nChanging password for anna."},
				secret("Current password: "), secret("New password: "), secret("Retype new password: "),
				prompt.Notice{Text: "You must choose a longer password.", Error: true},
				secret("New password: "), secret("Retype new password: "),
			},
			outcome: passwd.Outcome{Password: "neu ä€", Said: "passwd: password updated successfully"},
		},
		"another language, no colon, torn in a letter": {
			program: []turn{{"Введите пароль\xd0", "\xb0 "}, {"\n新しいパスワード："}, {"\nΕπανάληψη;"}, {"fertig"}},
			answers: []string{"a", "b", "b"},
			seen:    []any{secret("Введите парольа "), secret("新しいパスワード："), secret("Επανάληψη;")},
			outcome: passwd.Outcome{Password: "b", Said: "fertig"},
		},
		"a write torn after a colon": {
			program: []turn{{"passwd: ", "Authentication token manipulation error\r\n", "passwd:", " password unchanged\r\n"}},
			outcome: passwd.Outcome{Said: "passwd: Authentication token manipulation error\npasswd: password unchanged"},
		},
		"what cannot be typed": {
			program: []turn{{"New password: "}, {"\n"}},
			answers: []string{"two\nlines", "a\x03b", strings.Repeat("x", 501), ""},
			seen: []any{secret("New password: "), untypeable, secret("New password: "), untypeable,
				secret("New password: "), untypeable, secret("New password: ")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				person := sshtest.NewPerson(tt.answers...)
				outcome, read, err := converse(t, person, tt.program)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.seen, person.Seen()); d != "" && len(tt.seen)+len(person.Seen()) > 0 {
					t.Error(d)
				}
				if outcome != tt.outcome {
					t.Errorf("outcome %q, want %q", outcome, tt.outcome)
				}
				if n := len(read); n > 0 && read[n-1] != tt.answers[len(tt.answers)-1]+"\n" {
					t.Errorf("the program read %q", read)
				}
			})
		})
	}
}

var untypeable = prompt.Notice{Text: "This is too long, or has characters that cannot be typed. Choose another one.", Error: true}

// A program that never comes to an end is left.
func TestEndless(t *testing.T) {
	for name, tt := range map[string]struct{ program []turn }{
		"questions":     {slices.Repeat([]turn{{"Again: "}}, 1000)},
		"text":          {[]turn{slices.Repeat([]string{strings.Repeat("lots of text\n", 50)}, 1000)}},
		"one long line": {[]turn{slices.Repeat([]string{strings.Repeat("x", 1000)}, 1000)}},
		"silence":       {[]turn{{}, {}}},
		"only blanks":   {[]turn{{"\r\n\x1b[2J  \r"}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				person := sshtest.NewPerson(slices.Repeat([]string{"x"}, 1000)...)
				_, _, err := converse(t, person, tt.program)
				if !errors.Is(err, passwd.ErrDialogue) {
					t.Errorf("error is %v", err)
				}
				if n := len(person.Seen()); n > 100 {
					t.Errorf("the person saw %d texts", n)
				}
			})
		})
	}
}

func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, read, err := converse(t, sshtest.NewPerson(), []turn{{"Password: "}, {}})
		if !errors.Is(err, sshtest.ErrGaveUp) || len(read) > 0 {
			t.Errorf("error is %v, the program read %q", err, read)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("Escape was pressed")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		screen, shown := io.Pipe()
		_, keyboard := io.Pipe()
		_, err := passwd.Run(ctx, passwd.Config{Terminal: &end{screen, keyboard}, Prompter: sshtest.NewPerson(), Turn: turnLimit})
		if !errors.Is(err, why) {
			t.Errorf("error is %v", err)
		}
		shown.Close()
	})
}
