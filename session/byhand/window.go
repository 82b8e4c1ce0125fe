package byhand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// endLimit is how long a helper may take to end when nobody waits for its
// answer any more.
const endLimit = 2 * time.Second

// window asks in a small window of ldm-greeter's.
type window struct{ program string }

// newWindow looks for ldm-greeter beside our own program, then on PATH. Without a
// display or the program the window is never ready.
func newWindow(getenv func(string) string) window {
	if getenv("DISPLAY") == "" {
		return window{}
	}
	if own, err := os.Executable(); err == nil {
		if program, err := exec.LookPath(filepath.Join(filepath.Dir(own), "ldm-greeter")); err == nil {
			return window{program}
		}
	}
	program, _ := exec.LookPath("ldm-greeter") // an error leaves it empty
	return window{program}
}

func (w window) ready() bool { return w.program != "" }

func (w window) ask(ctx context.Context, question string, echo bool) (string, error) {
	argv := []string{w.program, "--ask"}
	if !echo {
		argv = append(argv, "--secret")
	}
	return runHelper(ctx, argv, question)
}

func (w window) show(ctx context.Context, notice string) error {
	_, err := runHelper(ctx, []string{w.program, "--ask", "--notice"}, notice)
	if errors.Is(err, errCancelled) {
		return nil // a notice that was closed has been seen
	}
	return err
}

// askpass asks by the program of SSH_ASKPASS; ssh(1), ENVIRONMENT. It gets the question,
// which is no secret, as its argument.
type askpass struct {
	program string
	stderr  io.Writer
}

func (a askpass) ready() bool { return a.program != "" }

func (a askpass) ask(ctx context.Context, question string, _ bool) (string, error) {
	answer, err := runHelper(ctx, []string{a.program, question}, "")
	return strings.TrimSuffix(answer, "\n"), err
}

// show does not use the program: it could only ask.
func (a askpass) show(_ context.Context, notice string) error {
	_, err := fmt.Fprintln(a.stderr, notice)
	return err
}

// runHelper runs a program that asks the person, and returns its output. Exit
// status 1 means that the person cancelled.
func runHelper(ctx context.Context, argv []string, input string) (string, error) {
	var output bounded
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &output, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endLimit
	err := cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case exited && exit.ExitCode() == 1:
		return "", errCancelled
	case err != nil:
		return "", fmt.Errorf("%s: %w", filepath.Base(argv[0]), err)
	}
	return output.String(), nil
}

// bounded is a buffer for an answer.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxAnswer {
		return 0, fmt.Errorf("answer over %d bytes", maxAnswer)
	}
	return b.Buffer.Write(p)
}
