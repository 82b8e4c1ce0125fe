// Package server is the daemon's side of its local socket, whose messages are those of
// server-agent/control: it tells the cluster of the sessions that are registered there,
// and them when they shall end, and answers the administrator's commands.
package server
