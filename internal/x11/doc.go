// Package x11 knows the X11 protocol's bytes as far as somebody in the middle
// of a connection needs to: the byte order, the connection setup, where each
// request and each answer ends, and what they are called.
//
// It parses from byte slices, keeps nothing and decides nothing. "Section" in
// comments means the X Window System Protocol, version 11, X.Org release 7.7;
// "appendix B" is its encoding.
package x11
