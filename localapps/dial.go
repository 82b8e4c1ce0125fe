package localapps

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"goldm/internal/x11/display"
	"goldm/internal/xauth"
)

// Variable names the mailbox to the programs of a session, as in ":10.0 0x600001":
// its display, since that of a nested X server has another root window, and its window.
const Variable = "LTSP_LOCALAPPS"

// Dial finds the mailbox that Variable names, else that of $DISPLAY.
func Dial(ctx context.Context, getenv func(string) string) (*Asker, error) {
	if name, window, ok := parseVariable(getenv(Variable)); ok {
		a, err := dial(ctx, name, window, getenv)
		if err == nil || ctx.Err() != nil || name == getenv("DISPLAY") {
			return a, err
		}
	}
	if getenv("DISPLAY") == "" {
		return nil, fmt.Errorf("%w: DISPLAY is not set", ErrNoAgent)
	}
	return dial(ctx, getenv("DISPLAY"), 0, getenv)
}

func parseVariable(value string) (name string, window uint32, ok bool) {
	name, number, ok := strings.Cut(strings.TrimSpace(value), " ")
	digits, hexadecimal := strings.CutPrefix(number, "0x")
	id, err := strconv.ParseUint(digits, 16, 32)
	return name, uint32(id), ok && hexadecimal && err == nil
}

func dial(ctx context.Context, name string, window uint32, getenv func(string) string) (*Asker, error) {
	d, err := display.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	// Without a cookie the display may let us in by our user id.
	if err := d.Authorize(ctx, xauth.Filename(getenv)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	return Connect(ctx, d, window)
}
