// Package room is the place on the client for the local programs of one login:
// a pid, an ipc and a mount namespace with their own /tmp, /dev/shm and
// /run/user, whose programs are the login's local user and gain no privileges.
//
// The room's first process, which is the local user's too, reaps what others
// leave behind. With its end, and so with that of ldm, the kernel ends them all.
package room
