// Package wire holds the messages between ldm and the worker of a login, between
// ldm and the probe that watches the servers meanwhile, and between ldm and the
// filter of a login's local programs.
//
// They travel over a socketpair of type SOCK_SEQPACKET, one JSON object a
// packet, tagged by its member "type". ldm sends Login, Answer, Start and
// Screen to a worker, in this order, Watch to a probe, Admit to a filter, and Ping to
// each of them; they send the rest. They parse what a server or a program sends, so
// ldm treats each of their messages as a stranger's: bounded, and only text for a
// person, a step of the login, an order of servers, a program to run, or the sockets
// beside a Home. Closing the socket cancels the login, ends the session, or ends the
// probe or the filter, from either side.
package wire
