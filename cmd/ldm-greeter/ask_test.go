package main_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// question is a running ldm-greeter --ask.
type question struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

func (d *display) asks(text string, flags ...string) *question {
	d.t.Helper()
	q := &question{}
	q.cmd = exec.Command(program(d.t, "ldm-greeter"), append([]string{"--ask"}, flags...)...)
	q.cmd.Env = d.env()
	q.cmd.Stdin = strings.NewReader(text)
	q.cmd.Stdout, q.cmd.Stderr = &q.stdout, &q.stderr
	if err := q.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if q.cmd.ProcessState == nil {
			q.cmd.Process.Kill()
			q.cmd.Wait()
		}
	})
	d.sees("Question")
	return q
}

func (q *question) gives(t *testing.T, code int, answer string) {
	t.Helper()
	q.cmd.Wait()
	if got := q.cmd.ProcessState.ExitCode(); got != code || q.stdout.String() != answer {
		t.Errorf("exit status %d, answer %q; want %d, %q\n%s", got, &q.stdout, code, answer, &q.stderr)
	}
	if q.stderr.Len() > 0 {
		t.Errorf("standard error: %s", &q.stderr)
	}
}

func TestAsk(t *testing.T) {
	d := newDisplay(t, "1024x768")
	for _, c := range []struct{ name, text, flag, typed string }{
		{"secret", "anna@alpha's password: ", "--secret", "gehëim ä € "},
		{"visible", "One-time code: ", "--visible", "123 456"},
		{"notice", "Your password will expire in 3 days.", "--notice", ""},
		{"empty", "Passcode: ", "--secret", ""},
		{"hostile", "<b>bold</b> \x1b[2J\n" + strings.Repeat("unbreakable", 10_000), "--secret", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := d.asks(c.text, c.flag)
			d.picture("ask-" + c.name)
			d.types(c.typed)
			q.gives(t, 0, c.typed)
		})
		t.Run(c.name+" cancelled", func(t *testing.T) {
			q := d.asks(c.text, c.flag)
			d.presses("Escape")
			q.gives(t, 1, "")
		})
	}
}

func TestAskIsClosed(t *testing.T) {
	d := newDisplay(t, "1024x768")
	q := d.asks("Password: ", "--secret")
	d.must("xdotool", "getwindowfocus", "windowclose")
	q.cmd.Wait()
	if q.cmd.ProcessState.Success() || q.stdout.Len() > 0 {
		t.Errorf("a closed window answers %q with status %d", &q.stdout, q.cmd.ProcessState.ExitCode())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"--secret", "--ask --secret --notice", "--aks", "name"} {
		t.Run(args, func(t *testing.T) {
			cmd := exec.Command(program(t, "ldm-greeter"), strings.Fields(args)...)
			if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 {
				t.Errorf("exit status %d: %s", cmd.ProcessState.ExitCode(), out)
			}
		})
	}
}
