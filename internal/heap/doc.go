// Package heap has a program keep little garbage while it rests, and spend little on collecting it while it works.
//
// A session's processes hold a few megabytes that stay, for as long as somebody is logged in, and mostly rest. A heap that may
// double between two collections then keeps as much again for nothing. But a picture that goes through is garbage at once: with a small
// heap there would be a collection for every megabyte and a half, at half of all the processor time that carrying takes
// (runtime/debug, SetGCPercent; the sizes are those of "Go's garbage collector guide", GOGC).
package heap
