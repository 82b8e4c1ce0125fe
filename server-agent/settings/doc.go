// Package settings reads /etc/ltsp/server-agent.conf: lines of name = value with
// the quoting of a shell, as in ltsp.conf, and # comments.
//
// What makes no sense is a Problem with its place and leaves the default, so
// that a misspelt line does not keep a server from its duty.
package settings
