// Package xwatch notices that an X server hangs.
//
// Silence alone says nothing: a program that holds GrabServer makes the server silent for everybody else.
// So an unanswered question counts against the server only if its main thread was never seen waiting
// for something to do: it is stopped, hangs in the kernel, or is busy without a break.
//
// The X server is not trusted. It is asked one question over one connection as an ordinary client, and of what it
// says fixed sizes are read and dropped: that it says anything is all that matters.
package xwatch
