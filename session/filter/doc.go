// Package filter stands between the programs of a login on the client and the X
// server: a process of its own, which ldm starts.
//
// The worker is another process, since it parses what the network sends and
// local programs are another attacker. Programs show a cookie of the login's;
// the X server's is known to this process alone. What they may ask of the X
// server session/x11 says.
package filter
