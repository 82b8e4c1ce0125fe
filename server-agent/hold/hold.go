// Package hold keeps a lock on a file of the user's for a program on a client.
// That one's own lock stays on the client, since SFTP has none; this one is what
// programs on this server see, and those of other clients, which come here too.
package hold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Held and Busy are the answers, a line each; what a login shell prints does not
// look like them.
const (
	Held = "ltsp-hold held"
	Busy = "ltsp-hold busy"
)

// Silence is how long nothing may come from the client before it is taken for
// dead, since sshd may take hours to notice (the same as for its session).
const Silence = 30 * time.Second

// ErrBusy reports that another program has the lock.
var ErrBusy = errors.New("somebody else holds it")

// File locks a file as fcntl(2) does, the whole of it and for writing, says so on
// out, and keeps it until in ends or says nothing for too long, or ctx ends.
func File(ctx context.Context, path string, in *os.File, out io.Writer) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		fmt.Fprintln(out, Busy)
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	if _, err := fmt.Fprintln(out, Held); err != nil {
		return err
	}
	return listen(ctx, in, Silence)
}

// listen returns when the client has gone.
func listen(ctx context.Context, in *os.File, silence time.Duration) error {
	heard := make(chan struct{})
	go func() { // ends with the process, or with in
		defer close(heard)
		for buffer := make([]byte, 64); ; {
			if _, err := in.Read(buffer); err != nil {
				return
			}
			select {
			case heard <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-heard:
			if !ok {
				return nil
			}
			timer.Reset(silence)
		case <-timer.C:
			return errors.New("the client says nothing any more")
		case <-ctx.Done():
			return nil
		}
	}
}
