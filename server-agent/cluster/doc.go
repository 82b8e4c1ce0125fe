// Package cluster makes many servers one: each tells the others through etcd that
// it is there, how loaded it is and who has a session, and "one session a user"
// is decided there by a transaction.
//
// All that a server writes hangs on a lease, so that what it said goes when it
// does; no clock is compared with another. Without etcd everything here still answers, by
// what is known: this server's own sessions, and what the others said last.
// What is read was written by other machines and is bounded and checked.
package cluster
