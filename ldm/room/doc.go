// Package room is the place on the client for the local programs of one login:
// a pid, an ipc and a mount namespace whose programs are the login's local user and
// gain no privileges. The machine's files are read-only there; what a program can
// write is the room's own, bounded, and gone with it.
//
// ldm never acts in a namespace that a program of the user could have touched. What
// is to be mounted in a room later goes through its stage: a mount namespace of
// root's, in which no program ever runs. The stage has a shared folder, whose mounts
// arrive in the room by propagation (mount_namespaces(7)). A process that enters a room
// prepares everything outside, joins, and gives up root: nothing else.
//
// The room's first process, which is the local user's too, reaps what others
// leave behind. With its end, and so with that of ldm, the kernel ends them all.
package room
