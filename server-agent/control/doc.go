// Package control is what is said on the local socket of the server's daemon, and the
// side of those who ask: sessions register there and hear when they shall end, and the
// administrator's commands ask and order. The daemon's side is in control/server, so
// that a session links nothing of the cluster.
//
// Both sides speak JSON objects tagged by their member "type", one a line; a
// request has one answer, and a session's end is told in between. Anybody on the
// server may connect: who it is says the kernel (unix(7), SO_PEERCRED), a session
// belongs to who registered it, and only root drains a server.
package control
