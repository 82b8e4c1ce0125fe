// Package seccomp takes system calls away from the calling thread, and from the
// program that this thread executes: seccomp(2).
//
// The program starts no other one. It cannot be asked to promise that, since it
// may be in somebody's hands from its first instruction, and a filter cannot
// count. So the one execve that starts the program has three arguments at random
// addresses (Exec), and the filter allows no other.
package seccomp
