package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"goldm/internal/testbed"
)

// shell is a shell at the far end of a way, that takes its commands from us.
type shell struct {
	command *testbed.Cmd
	in      io.WriteCloser
	lines   chan string

	mu   sync.Mutex
	said strings.Builder // on standard error
}

// newShell starts a command that becomes a shell.
func newShell(c *testbed.Cmd) (*shell, error) {
	s := &shell{command: c, lines: make(chan string, 64)}
	var err error
	if s.in, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.Stderr = (*complaints)(s)
	if err := c.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	return s, nil
}

// complaints keeps the beginning of what is written.
type complaints shell

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said.Write(p[:min(len(p), max(0, 4096-c.said.Len()))])
	return len(p), nil
}

// begin has a command run, and waits for nothing.
func (s *shell) begin(command string) error {
	_, err := io.WriteString(s.in, command+"\n")
	return err
}

// finished is what the shell prints at a command's end.
const finished = "goldm-bench: finished"

// run has a command run and returns what it printed.
func (s *shell) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*limit)
	defer cancel()
	if err := s.begin(command + "\necho; echo " + finished); err != nil {
		return "", err
	}
	var out []string
	for {
		select {
		case line, ok := <-s.lines:
			switch {
			case !ok:
				s.mu.Lock()
				defer s.mu.Unlock()
				return "", fmt.Errorf("%s: the shell has ended: %s", command, strings.TrimSpace(s.said.String()))
			case line == finished:
				return strings.TrimSpace(strings.Join(out, "\n")), nil
			}
			out = append(out, line)
		case <-ctx.Done():
			return "", fmt.Errorf("%s: %w", command, ctx.Err())
		}
	}
}

// end ends the shell.
func (s *shell) end() error {
	s.in.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.command.Wait() }()
	select {
	case <-ended: // a way's exit status says nothing here
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(s.command.Process.Kill(), <-ended)
	}
}
