// Package x11 forwards the X clients of a remote session to the local display
// (RFC 4254, section 6.3), fenced in.
//
// A Forwarder gives the server a cookie that is good for nothing but itself.
// Each client that comes back must show it; it is replaced by the display's own
// cookie on the way. From then on the client's requests and the display's
// answers are framed, and a client can use the extensions of an allow-list and
// no others, neither by name nor by number; see allowed in policy.go.
//
// Programs of this machine go the same way, with a list of their own: they may
// share memory and graphics devices with the X server, by descriptors. These are
// kept in order with the bytes, and pass with those requests and replies alone
// that have some; see forms.go.
package x11
