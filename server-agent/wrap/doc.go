// Package wrap runs a desktop on the server, as its user, inside an SSH session
// channel, and ends every process of it when it is over and nothing else of
// the user's.
//
// The wrapper is a child subreaper (prctl(2)): whatever the desktop starts stays
// below it in the tree of processes, daemons that called setsid(2) or forked
// twice too. So "every process of the session" is "every process below us",
// and the session has ended when wait4(2) says that we have no children. The client
// is spoken to in agentwire.
package wrap
