// Package worker is the process of one login: it logs in to a server for ldm,
// and then carries the session.
//
// It speaks ldm/wire with ldm and SSH with the server. It is the only process
// on the client that reads what a server sends, and holds what the user
// answered; so nobody may read its memory, and when it dies, only its login does.
package worker
