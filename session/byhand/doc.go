// Package byhand is ldm-session as a person types it: a session, or one command,
// on a server, shown on the display that the person sits at.
//
//	xinit ldm-session anna@server -- :1
//	ldm-session anna@server -- xterm
//
// It finds server, user and keys where ssh does, and asks on the terminal only
// if it may read it. That is not so under xinit, which starts its client in
// the background: there a window asks.
package byhand
