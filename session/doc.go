// Package session logs in to a server over SSH and runs commands there, used in
// the manner of os/exec: Dial, Client.Command, Start, Wait. The commands' X11
// clients reach a local display through the connection.
//
// The server is not trusted: what it sends is bounded, each step has a limit in
// time, and a connection that went silent is closed. Errors are failures that
// have a sentence for the person, but for the end of a context, which is
// returned as it is.
package session
