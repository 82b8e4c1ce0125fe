// Package xproxy is the X11 accelerator: a far half on the server, which is an X display
// to programs there, and a near half on the client, joined by one connection (package mux).
//
// The far half passes on what programs and the X server say. What an X server can answer
// only in one way as long as it lives, and has answered once, it answers itself:
// docs/accelerator.md lists these requests. Whenever it is not certain it passes on.
//
// The near half gives each program to whoever connects it with the X server, which is
// where the policy on extensions is; see session/x11.
package xproxy
