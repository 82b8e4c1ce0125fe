// Package localuser gives each login a user of its own on the client: a number
// from a range that nobody else has and that is not used again before the next
// boot, and a name, made known through records in /run/userdb, which
// nss-systemd(8) reads. /etc/passwd stays as it is, and no number that a server
// names counts.
package localuser
