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

// Show lets the user's programs on the server reach a display; nil is for none. A server
// without the accelerator forwards, which is told unless nobody asked for that.
func (c *Client) Show(ctx context.Context, display *x11.Display, asked via.Way) (*Shown, error) {
	if display == nil {
		return &Shown{}, nil
	}
	by := asked
	long := c.isLong()
	if by == via.Auto {
		by = best(long)
	}
	switch {
	case by == via.Direct:
		return c.showDirectly(ctx, display)
	case by == via.Accelerated:
		shown, err := c.accelerate(ctx, display, long)
		if err == nil || ctx.Err() != nil {
			return shown, err
		}
		level := slog.LevelWarn
		if asked == via.Auto && errors.Is(err, io.EOF) {
			level = slog.LevelDebug // there is no agent, or one of before
		}
		c.log.Log(ctx, level, "no accelerator: windows are forwarded without", "err", err)
	}
	return &Shown{forwarded: display}, nil
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
