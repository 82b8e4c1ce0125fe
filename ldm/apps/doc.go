// Package apps runs programs of the client for a session on a server: as the
// login's local user, in the login's room, and only what the client's policy
// allows.
//
// A request comes from the login's worker, and so from whoever owns the server.
// It names a program, its arguments and a working directory; user, groups,
// environment and place are not its to say.
package apps
