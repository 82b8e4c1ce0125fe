// Package abortkey notices Ctrl+Alt+Backspace on the kernel's keyboards (/dev/input/event*), whatever has become of
// the X server.
//
// It only reads, grabs nothing, and keeps of what is typed no more than whether those three keys are down.
package abortkey
