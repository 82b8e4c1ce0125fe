// Package probe is the process that watches the servers while the login screen
// waits: which are up, which are busy, full or drained, how far away they are.
//
// It is the probe's end of ldm/wire. It knows no secret and no user; all that it
// can do to a login is to change the order in which servers are tried. What it
// asks is cheap for a server, since every client of a school asks it: sshd for its
// version, and the agent, where there is one, for how loaded the server is. Only
// sshd's answer says that a login is possible, and nobody proves the agent's.
package probe
