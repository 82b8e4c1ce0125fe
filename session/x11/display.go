package x11

import "goldm/internal/x11/display"

// Display is an X server, and what to show to it.
type Display = display.Display

// ParseDisplay reads a display's name as in $DISPLAY.
func ParseDisplay(name string) (*Display, error) { return display.Parse(name) }
