// Package x11 forwards the X clients of a remote session to the local display
// (RFC 4254, section 6.3), fenced in.
//
// A Forwarder gives the server a cookie that is good for nothing but itself.
// Each client that comes back must show it; it is replaced by the display's own
// cookie on the way. From then on the client's requests and the display's
// answers are framed, and a client can use the extensions of an allow-list and
// no others, neither by name nor by number; see allowed in policy.go.
package x11
