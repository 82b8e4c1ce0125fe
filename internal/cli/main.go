package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"goldm/internal/logs"
	"goldm/internal/text"
)

// StatusUsage is the exit status for a command line that makes no sense.
const StatusUsage = 2

// maxMessage bounds the message on standard error, in runes.
const maxMessage = 4000

// ExitError is an error that names the exit status of the program.
type ExitError struct {
	Code int
	Err  error // the message; nil where the status says it all
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// Exit ends the program with a status and no message. Exit(0) is nil.
func Exit(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code}
}

// Usage marks err as a mistake on the command line.
func Usage(err error) error { return &ExitError{Code: StatusUsage, Err: err} }

// Usagef is Usage of a formatted error.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// output is the error of a run that only has to print something: --help and --version.
type output string

func (o output) Error() string { return string(o) }

// Main calls run with the program's arguments and returns the exit status:
// `func main() { os.Exit(cli.Main("name", run)) }`. INT, TERM and HUP end the
// context that run gets, and context.Cause names the signal; run ends the
// rest. A second signal changes nothing, so that nothing is left half ended.
func Main(name string, run func(ctx context.Context, args []string) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return status(name, os.Stdout, os.Stderr, interrupted(ctx, run(ctx, os.Args[1:])))
}

// interrupted makes an error that says only that ctx has ended say why.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*ExitError](err); ok {
		return &ExitError{Code: e.Code, Err: &stopped{context.Cause(ctx)}}
	}
	return &stopped{context.Cause(ctx)}
}

// stopped is the end of a run that a signal asked for.
type stopped struct{ error }

func (s *stopped) Unwrap() error { return s.error }

// complain prints a message for people, or for ldm's log.
func complain(name string, stderr io.Writer, message error) {
	if logs.IsChild() {
		level := slog.LevelError
		if _, ok := errors.AsType[*stopped](message); ok {
			level = slog.LevelInfo // ldm stops its programs by a signal
		}
		slog.New(logs.NewHandler(stderr, slog.LevelInfo, true)).Log(context.Background(), level, message.Error())
		return
	}
	fmt.Fprintf(stderr, "%s: %s\n", name, text.Harmless(message.Error(), maxMessage))
}

// status prints what err has to say and returns its exit status.
func status(name string, stdout, stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if o, ok := errors.AsType[output](err); ok {
		if _, err := io.WriteString(stdout, string(o)); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	}
	code, message := 1, err
	if e, ok := errors.AsType[*ExitError](err); ok {
		code = e.Code
		if e.Err == nil {
			message = nil
		}
	}
	if message != nil {
		complain(name, stderr, message)
	}
	return code
}
