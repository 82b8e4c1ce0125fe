// Package probe is the process that watches the servers while the login screen
// waits: which are up, which are busy, how far away they are.
//
// It is the probe's end of ldm/wire. It knows no secret and no user; all that it
// can do to a login is to change the order in which servers are tried. What it
// asks is cheap for a server, since every client of a school asks it.
package probe
