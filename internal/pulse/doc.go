// Package pulse notices that a process hangs: it is stopped, or stuck, and its sockets stay open.
//
// There are two forms. Watch asks a peer at an interval; Listen expects a peer to speak by itself.
// Either way the second sign of life in a row that is missing is the end. Each of the two has a timer
// of its own, so a clock that jumps costs one of them at most; and timers stand still while the machine
// sleeps (CLOCK_MONOTONIC, clock_gettime(2)), so nobody is blamed for that time.
package pulse
