package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		code   int
		stdout string
		stderr string
	}{
		{name: "nil"},
		{name: "error", err: errors.New("no display"), code: 1, stderr: "prog: no display\n"},
		{name: "usage", err: Usagef("too many"), code: 2, stderr: "prog: too many\n"},
		{name: "wrapped usage", err: fmt.Errorf("file: %w", Usagef("bad")), code: 2, stderr: "prog: file: bad\n"},
		{name: "silent", err: Exit(42), code: 42},
		{name: "exit 0", err: Exit(0)},
		{name: "help", err: output("usage\n"), stdout: "usage\n"},
		{name: "hostile", err: errors.New("server says \x1b]0;x\x07hi\x08"), code: 1, stderr: "prog: server says hi\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := status("prog", &stdout, &stderr, c.err)
			if code != c.code || stdout.String() != c.stdout || stderr.String() != c.stderr {
				t.Errorf("status %d, stdout %q, stderr %q", code, &stdout, &stderr)
			}
		})
	}
}

type options struct {
	Host, Identity string
	Verbose        bool
	Wait           time.Duration
	Args           []string
}

func parse(args []string) (options, error) {
	var o options
	f := NewFlags("prog sub", "[file]", "Does things.")
	f.StringVar(&o.Host, "host", "", "the `name` of the host")
	f.StringVar(&o.Identity, "i", "", "a private key's `file`")
	f.BoolVar(&o.Verbose, "v", false, "say more")
	f.DurationVar(&o.Wait, "wait", 0, "how `long`")
	var err error
	o.Args, err = f.Parse(args)
	return o, err
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args string
		want options
	}{
		{"", options{}},
		{"--host a file", options{Host: "a", Args: []string{"file"}}},
		{"--host=a=b -v", options{Host: "a=b", Verbose: true}},
		{"file -i key -v=false", options{Identity: "key", Args: []string{"file"}}},
		{"-v -- --host", options{Verbose: true, Args: []string{"--host"}}},
		{"-", options{Args: []string{"-"}}},
		{"--host -v", options{Host: "-v"}},
		{"--wait 2s", options{Wait: 2 * time.Second}},
	} {
		t.Run(c.args, func(t *testing.T) {
			got, err := parse(strings.Fields(c.args))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEndAtOperand(t *testing.T) {
	for args, want := range map[string][]string{
		"--wait prog --wait -x": {"prog", "--wait", "-x"},
		"prog":                  {"prog"},
		"-- --wait":             {"--wait"},
		"prog -- x":             {"prog", "--", "x"},
		"--wait":                nil,
	} {
		flags := NewFlags("prog", "command", "")
		flags.Bool("wait", false, "")
		flags.EndAtOperand()
		got, err := flags.Parse(strings.Fields(args))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", args, err, d)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"--hots x":     "unknown option --hots; did you mean --host?",
		"--host":       "option --host needs a value",
		"--vresion":    "unknown option --vresion; did you mean --version?",
		"-host x":      "unknown option -host; did you mean --host?",
		"--i x":        "unknown option --i; did you mean -i?",
		"--frobnicate": "unknown option --frobnicate; prog sub --help lists them",
		"--wait soon":  `option --wait "soon": parse error`,
		"-v=perhaps":   `option -v "perhaps": parse error`,
	} {
		t.Run(args, func(t *testing.T) {
			_, err := parse(strings.Fields(args))
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if e, ok := errors.AsType[*ExitError](err); !ok || e.Code != StatusUsage {
				t.Errorf("%v does not exit with %d", err, StatusUsage)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	_, err := parse([]string{"--help"})
	want := `usage: prog sub [options] [file]

Does things.

options:
  --host name  the name of the host
  -i file      a private key's file
  -v           say more
  --wait long  how long
  --help       print this text and exit
  --version    print the version and exit
`
	if d := cmp.Diff(output(want), err); d != "" {
		t.Error(d)
	}
}

func TestProgram(t *testing.T) {
	var ran string
	note := func(name string) func(context.Context, []string) error {
		return func(_ context.Context, args []string) error {
			ran = strings.TrimSpace(name + " " + strings.Join(args, " "))
			return nil
		}
	}
	commands := []Command{
		{Name: "run", Summary: "runs", Run: note("run")},
		{Name: "check", Summary: "checks", Run: note("check")},
		{Name: "secret", Run: note("secret")},
	}
	withDefault := &Program{Name: "prog", Commands: commands, Default: "run"}
	without := &Program{Name: "prog", Commands: commands}
	for _, c := range []struct {
		program *Program
		args    string
		ran     string
		err     string
	}{
		{program: withDefault, ran: "run"},
		{program: withDefault, args: "--config x", ran: "run --config x"},
		{program: withDefault, args: "check -v", ran: "check -v"},
		{program: withDefault, args: "chekc", err: "unknown command chekc; did you mean check?"},
		{program: without, args: "secret --x", ran: "secret --x"},
		{program: without, args: "secert", err: "unknown command secert; prog --help shows the usage"},
		{program: without, err: "a command is missing; prog --help lists them"},
		{program: without, args: "--hlep", err: "unknown option --hlep; did you mean --help?"},
	} {
		t.Run(c.args, func(t *testing.T) {
			ran = ""
			err := c.program.Run(t.Context(), strings.Fields(c.args))
			if got := fmt.Sprint(err); ran != c.ran || c.err != "" && got != c.err || c.err == "" && err != nil {
				t.Errorf("ran %q, error %v", ran, err)
			}
		})
	}
	var help bytes.Buffer
	if status("prog", &help, &help, without.Run(t.Context(), []string{"--help"})); strings.Contains(help.String(), "secret") {
		t.Errorf("help names the hidden command:\n%s", &help)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"LDM_SERVER", "LDM_SESSION", "LDM_SSH_PORT"}
	for word, want := range map[string]string{
		"LDM_SERVRE":  "LDM_SERVER",
		"LDM_SERVERS": "LDM_SERVER",
		"LDM_SSHPORT": "LDM_SSH_PORT",
		"SESSION":     "",
		"X":           "",
		"":            "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	why := errors.New("interrupt signal received")
	ended, end := context.WithCancelCause(t.Context())
	end(why)
	if err := interrupted(ended, fmt.Errorf("dial: %w", context.Canceled)); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
	e, ok := errors.AsType[*ExitError](interrupted(ended, &ExitError{Code: 255, Err: context.Canceled}))
	if !ok || e.Code != 255 || !errors.Is(e.Err, why) {
		t.Errorf("%+v, want 255 and %v", e, why)
	}
	other := errors.New("disk full")
	if err := interrupted(ended, other); err != other {
		t.Errorf("%v, want %v", err, other)
	}
}

// A program that ldm started tells ldm's log why it ended, with a level.
func TestStatusOfAChild(t *testing.T) {
	t.Setenv("GOLDM_LOG", "frames")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("terminated signal received"))
	for want, err := range map[string]error{
		`"level":"ERROR","msg":"no\" display"`:              errors.New(`no" display`),
		`"level":"INFO","msg":"terminated signal received"`: interrupted(ctx, context.Canceled),
	} {
		var stderr bytes.Buffer
		if code := status("prog", nil, &stderr, err); code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("status %d, %s", code, &stderr)
		}
	}
}
