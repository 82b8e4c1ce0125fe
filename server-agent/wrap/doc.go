// Package wrap runs a desktop on the server, as its user, inside an SSH session
// channel, and ends every process of it when it is over and nothing else of
// the user's.
//
// Two processes do it. The wrapper (Run) starts the desktop and speaks agentwire with the
// client; above it the keeper (Keep) waits. Both are child subreapers (prctl(2)): whatever
// the desktop starts stays below them in the tree of processes, daemons that called
// setsid(2), forked twice or cleared their environment too. So "every process of the
// session" is "every process below us", and the session has ended when wait4(2)
// says that we have no children. Where one of the two is killed, the other ends the
// session. Where both are at one moment, the user's next session ends what they left
// (sessions.RemoveStale), as far as its environment still tells.
package wrap
