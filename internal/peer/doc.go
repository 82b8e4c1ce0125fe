// Package peer tells which user is at the other end of a Unix socket, and keeps one user's
// connections from taking the places of another's.
//
// A connection waits in a Queue until it has shown that it may come in. A full queue takes the
// place of the user that has the most, so that a flood hits its own user only. A Gate is the
// queue of a session: the session's user is not counted with others.
package peer
