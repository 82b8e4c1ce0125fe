package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"time"

	"goldm/internal/testbed"
)

// stepLimit is how long one thing may take to happen.
const stepLimit = 60 * time.Second

// until asks again and again until it is so.
func until(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stepLimit, fmt.Errorf("not within %v", stepLimit))
	defer cancel()
	for {
		yes, err := so(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case yes:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// screen is the display of an X server on a machine, with its cookie.
type screen struct {
	machine   *testbed.Machine
	display   string
	authority string
	server    int // the X server's process, in the machine's numbers
}

// findScreen returns the display of the X server that ldm runs, nil while there
// is none that answers. The server's cookie is where its -auth says.
func findScreen(ctx context.Context, m *testbed.Machine) (*screen, error) {
	sockets, err := m.ReadDir("/tmp/.X11-unix")
	if err != nil {
		return nil, err
	}
	processes, err := m.Processes()
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		at := slices.Index(p.Command, "-auth")
		if at < 0 || at+1 == len(p.Command) || !slices.Contains(p.Command, "-displayfd") {
			continue
		}
		for _, socket := range sockets {
			s := &screen{machine: m, display: ":" + strings.TrimPrefix(socket.Name(), "X"), authority: p.Command[at+1], server: p.PID}
			if _, err := s.command(ctx, "xdpyinfo").Output(); err == nil {
				return s, nil
			}
		}
	}
	return nil, nil
}

// command is a program on this display.
func (s *screen) command(ctx context.Context, argv ...string) *testbed.Cmd {
	c := s.machine.Command(ctx, "root", argv...)
	c.Env = append(c.Env, "DISPLAY="+s.display, "XAUTHORITY="+s.authority)
	return c
}

// has tells whether the screen shows a window whose name, or class, matches:
// xdotool(1), search. A display that is gone shows none.
func (s *screen) has(ctx context.Context, by, pattern string) (bool, error) {
	out, err := s.command(ctx, "xdotool", "search", "--onlyvisible", by, pattern).Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return false, err
	}
	return len(out) > 0, nil
}

// typeLine types a line and Enter. It goes to xdotool by a pipe, for no secret
// belongs in an argument list.
func (s *screen) typeLine(ctx context.Context, line string) error {
	keys := s.command(ctx, "xdotool", "type", "--delay", "20", "--file", "-")
	keys.Stdin = strings.NewReader(line)
	if _, err := keys.Output(); err != nil {
		return err
	}
	_, err := s.command(ctx, "xdotool", "key", "Return").Output()
	return err
}

// settled returns a picture of the screen once it shows something and changes
// no more; a blinking cursor does not count.
func (s *screen) settled(ctx context.Context) (*image.RGBA, error) {
	var last *image.RGBA
	err := until(ctx, "a picture that stays", func(ctx context.Context) (bool, error) {
		now, err := s.machine.Screenshot(ctx, s.display, s.authority)
		if err != nil {
			return false, err
		}
		still := last != nil && colours(now) >= fewColours && difference(last, now) < cursorSize
		last = now
		if !still { // the next one only after some time in which things can move
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		return still, nil
	})
	return last, err
}

// over tells whether the X server has ended.
func (s *screen) over() (bool, error) {
	processes, err := s.machine.Processes()
	alive := slices.ContainsFunc(processes, func(p testbed.Process) bool { return p.PID == s.server })
	return !alive, err
}

// exists tells whether a machine has a file.
func exists(m *testbed.Machine, name string) (bool, error) {
	_, err := m.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
