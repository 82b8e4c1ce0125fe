// Package fence makes a fresh process of root's another program that runs as
// another user. It is what stands between ldm and its own programs.
//
// All is in place before the program's first instruction, since a program may be
// in somebody's hands from then on: own mounts with a /proc that shows the
// program alone, the user, Landlock's rules, seccomp's filter. Root's part comes
// first, then what needs no right.
package fence
