package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"sync"

	"goldm/internal/via"
	"goldm/session/x11"
)

// Shown is how the user's programs on the server reach a display of this computer.
type Shown struct {
	env       map[string]string
	forwarded *x11.Display
	remove    func() // nil for nothing
	once      sync.Once
}

// best is the way that Auto means over a link that is long, or is not. Where it cannot be had the display is forwarded.
func best(long bool) via.Way {
	if long {
		return via.Accelerated
	}
	return via.Forwarded
}

// Stage is a server that is ready to show a display of this computer.
type Stage struct {
	client *Client
	direct bool
	long   bool
	far    *farHalf // nil where nothing accelerates
}

// Prepare makes the server ready to show a display, which need not be up yet. A server without
// the accelerator forwards, which is told unless nobody asked for that. What Prepare begins ends
// with the connection, or with what Show returns.
func (c *Client) Prepare(ctx context.Context, asked via.Way) (*Stage, error) {
	s := &Stage{client: c, long: c.isLong()}
	by := asked
	if by == via.Auto {
		by = best(s.long)
	}
	switch by {
	case via.Direct:
		s.direct = true
	case via.Accelerated:
		far, err := c.meetFarHalf(ctx)
		switch {
		case err == nil:
			s.far = far
			return s, nil
		case ctx.Err() != nil:
			return nil, err
		}
		level := slog.LevelWarn
		if asked == via.Auto && errors.Is(err, io.EOF) {
			level = slog.LevelDebug // there is no agent, or one of before
		}
		c.log.Log(ctx, level, "no accelerator: windows are forwarded without", "err", err)
	}
	return s, nil
}

// Show lets the user's programs on the server reach a display. A Stage shows one.
func (s *Stage) Show(ctx context.Context, display *x11.Display) (*Shown, error) {
	switch {
	case s.direct:
		return s.client.showDirectly(ctx, display)
	case s.far != nil:
		return s.client.accelerate(s.far, display, s.long)
	}
	return &Shown{forwarded: display}, nil
}

// Show is Prepare and Show for a display that is up; nil is for none.
func (c *Client) Show(ctx context.Context, display *x11.Display, asked via.Way) (*Shown, error) {
	if display == nil {
		return &Shown{}, nil
	}
	stage, err := c.Prepare(ctx, asked)
	if err != nil {
		return nil, err
	}
	return stage.Show(ctx, display)
}

// Env returns the variables that lead programs to the display; none where the
// server sets them.
func (s *Shown) Env() map[string]string { return maps.Clone(s.env) }

// Forwarded is for Cmd.X11; nil where SSH does not have to forward.
func (s *Shown) Forwarded() *x11.Display { return s.forwarded }

// Remove takes away from the server what it was given, while the connection still stands,
// once the session has ended. It may be called more than once.
func (s *Shown) Remove() {
	s.once.Do(func() {
		if s.remove != nil {
			s.remove()
		}
	})
}
