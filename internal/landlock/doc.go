// Package landlock takes files and TCP ports away from the calling thread, and
// from the program that this thread executes: landlock(7).
//
// A rule set names what stays; the kernel refuses everything else that its ABI
// knows. An older kernel refuses less, see Handled.
package landlock
