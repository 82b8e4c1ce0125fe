// Package wire holds the messages between ldm and the worker of a login, and
// between ldm and the probe that watches the servers meanwhile.
//
// They travel over a socketpair of type SOCK_SEQPACKET, one JSON object a
// packet, tagged by its member "type". ldm sends Login, Answer, Start and Ping to a
// worker, and Watch and Ping to a probe; they send the rest. They parse what a server
// sends, so ldm treats each of their messages as a stranger's: bounded, and
// only text for a person, a step of the login, an order of servers, a program
// to run, or the sockets beside a Home. Closing the socket cancels the login,
// ends the session, or ends the probe, from either side.
package wire
