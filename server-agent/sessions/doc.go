// Package sessions knows the desktop sessions on this server without any
// daemon: each has two processes of ltsp-server-agent, the keeper and below it the
// wrapper of the desktop, and /proc says whose they are and what they
// were started with. So nothing is left to be wrong when a session was killed.
//
// A user sees the own sessions and may end them, root sees all. What a process
// says of itself is its user's word: it is bounded here, made harmless, and never
// counts for another user.
package sessions
