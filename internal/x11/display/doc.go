// Package display finds an X server by its name as in $DISPLAY, and what to show
// to it, which an Xauthority file holds, and connects to it.
package display
