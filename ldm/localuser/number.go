package localuser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// lastFile, in RunDir, holds the number that was given last.
const lastFile = "last-uid"

// next takes the next number that the machine does not know, and writes down
// that it is used up. Several seats may want one at once.
func next(ctx context.Context, c Config) (int, error) {
	file, err := os.OpenFile(filepath.Join(c.RunDir, lastFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close() // and with it the lock
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return 0, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0, err
	}
	last, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || last > c.Range.Last || last < c.Range.First {
		last = c.Range.First - 1 // the first of this boot, or of another range
	}
	for uid := last + 1; uid <= c.Range.Last; uid++ {
		taken, err := known(ctx, strconv.Itoa(uid))
		if err != nil {
			return 0, err
		}
		if !taken {
			_, err := file.WriteAt(fmt.Appendf(nil, "%-10d\n", uid), 0)
			return uid, err
		}
	}
	return 0, fmt.Errorf("all numbers from %d to %d were used since the last boot", c.Range.First, c.Range.Last)
}

// known reports whether the machine has a user or a group of this name or
// number, wherever it has them from: getent(1) asks NSS, which package os/user
// does not where it is built without cgo.
func known(ctx context.Context, key string) (bool, error) {
	for _, database := range []string{"passwd", "group"} {
		cmd := exec.CommandContext(ctx, "getent", database, key)
		cmd.Dir = "/"
		err := cmd.Run()
		if err == nil {
			return true, nil
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || ctx.Err() != nil { // 2: not found
			return false, fmt.Errorf("getent %s %s: %w", database, key, errors.Join(err, ctx.Err()))
		}
	}
	return false, nil
}
