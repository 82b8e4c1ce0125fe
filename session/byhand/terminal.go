package byhand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/failure"
)

// errCancelled says that the person closed the question.
var errCancelled = failure.New(errors.New("cancelled at a question"), "The login was cancelled.")

// terminal asks on the controlling terminal. It opens it anew for each
// question, which gives it a file description whose flags nobody shares.
type terminal struct{}

func openTerminal() (*os.File, error) {
	return os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
}

// ready tells whether we may read the terminal: whether we are its foreground
// process group. Any other is stopped when it tries (SIGTTIN), under xinit for ever.
func (terminal) ready() bool {
	tty, err := openTerminal()
	if err != nil {
		return false
	}
	defer tty.Close()
	return inForeground(tty)
}

func isTerminal(file *os.File) bool {
	return control(file, func(fd int) error {
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	}) == nil
}

func inForeground(tty *os.File) bool {
	foreground := false
	control(tty, func(fd int) error {
		group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		foreground = err == nil && group == unix.Getpgrp()
		return err
	})
	return foreground
}

// control calls f with the file's descriptor. (File.Fd would make it blocking, and
// its deadlines useless.)
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = f(int(fd)) }); err != nil {
		return err
	}
	return result
}

func (terminal) ask(ctx context.Context, question string, echo bool) (answer string, err error) {
	tty, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	defer context.AfterFunc(ctx, func() { tty.SetDeadline(time.Unix(1, 0)) })()
	if !echo {
		show, err := hide(tty)
		if err != nil {
			return "", fmt.Errorf("hide what is typed: %w", err)
		}
		defer show()
	}
	if _, err = io.WriteString(tty, question); err == nil {
		answer, err = readLine(tty)
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return answer, err
}

func (terminal) show(_ context.Context, notice string) error {
	tty, err := openTerminal()
	if err != nil {
		return err
	}
	defer tty.Close()
	_, err = fmt.Fprintln(tty, notice)
	return err
}

// hide turns the echo off, and drops what was typed before the question could be
// read. The keys that stop or abort the process are off too: after them
// nobody would turn the echo on again. Interrupting (^C) works.
func hide(tty *os.File) (show func(), err error) {
	var before *unix.Termios
	err = control(tty, func(fd int) error {
		if before, err = unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return err
		}
		hidden := *before
		hidden.Lflag &^= unix.ECHO
		hidden.Lflag |= unix.ICANON | unix.ISIG
		hidden.Cc[unix.VSUSP], hidden.Cc[unix.VQUIT] = 0, 0
		return unix.IoctlSetTermios(fd, unix.TCSETSF, &hidden)
	})
	if err != nil {
		return nil, err
	}
	return func() {
		control(tty, func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, before) })
		tty.SetDeadline(time.Time{})
		io.WriteString(tty, "\n") // the one that was typed was not shown
	}, nil
}

// readLine reads what the person types before Enter. Control-D cancels.
func readLine(tty *os.File) (string, error) {
	var line []byte
	buffer := make([]byte, 4096)
	for len(line) < maxAnswer {
		n, err := tty.Read(buffer)
		line = append(line, buffer[:n]...)
		if answer, whole := strings.CutSuffix(string(line), "\n"); whole {
			return answer, nil
		}
		if errors.Is(err, io.EOF) {
			return "", errCancelled
		}
		if err != nil {
			return "", fmt.Errorf("read the terminal: %w", err)
		}
	}
	return "", fmt.Errorf("answer over %d bytes", maxAnswer)
}
