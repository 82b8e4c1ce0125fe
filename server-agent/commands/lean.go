package commands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"goldm/server-agent/agent"
)

// lean makes a command go on in the sessions' own program where that is installed, since each process
// of ours has megabytes of libraries that only the daemon needs. No login fails for want of it.
func lean(run func(context.Context, []string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if err := becomeLean(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "ltsp-server-agent: the session takes more memory than it has to: %v\n", err)
		}
		return run(ctx, args)
	}
}

// becomeLean returns only where this process stays what it is. The program is looked for beside our
// own file only: PATH may be anybody's. What ps(1) shows stays what was typed, by which
// others know our processes.
func becomeLean() error {
	self, err := os.Executable() // the file itself, not a link to it: proc_pid_exe(5)
	if err != nil {
		return err
	}
	program := filepath.Join(filepath.Dir(self), agent.Name)
	if isSame(program, self) { // a link to us: it would come here again, for ever
		return fs.ErrNotExist
	}
	return &fs.PathError{Op: "run", Path: program, Err: syscall.Exec(program, os.Args, os.Environ())}
}

// isSame tells whether two paths lead to one file.
func isSame(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
