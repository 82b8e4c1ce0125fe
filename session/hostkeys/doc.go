// Package hostkeys decides whether a server is the one that this client knows,
// by files in the format of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
//
// The library reads the files and matches names; the decision is made here, as
// ssh makes it. A server that is not known, or shows another key, is refused during
// the key exchange, before anything about the user is sent. The errors carry a
// sentence for the person and, for the log, fingerprint, file and line.
package hostkeys
