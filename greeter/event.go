package greeter

import (
	"time"

	"goldm/ldm/greetd"
)

// An Event is something that a Model reacts to.
type Event interface{ event() }

type (
	// Submitted is the person's Enter, with what the entry field held in that
	// turn.
	Submitted struct {
		Turn int
		Text string
	}

	// Typed is any key of the person's, with whether it left the entry field of
	// that turn empty.
	Typed struct {
		Turn  int
		Empty bool
	}

	// GuestAsked is the person's wish for a guest's session.
	GuestAsked struct{ Turn int }

	// ServerTurned is the person's wish for the next of the servers to choose from.
	ServerTurned struct{}

	// Escaped is the person's Escape.
	Escaped struct{}

	// Opened says that there is a connection to the daemon.
	Opened struct{}

	// Received is a message of the daemon.
	Received struct{ Response greetd.Response }

	// Lost says that the connection could not be opened or has ended.
	Lost struct{ Err error }

	// Woken says that the time of the last Wake is over.
	Woken struct{}
)

func (Submitted) event()    {}
func (Typed) event()        {}
func (GuestAsked) event()   {}
func (ServerTurned) event() {}
func (Escaped) event()      {}
func (Opened) event()       {}
func (Received) event()     {}
func (Lost) event()         {}
func (Woken) event()        {}

// An Action is something that a Model wants done.
type Action interface{ action() }

type (
	// Send sends a request to the daemon. The person's answer in it is held
	// nowhere else.
	Send struct{ Request greetd.Request }

	// Reopen closes the connection, which cancels what goes on, and opens
	// another.
	Reopen struct{}

	// Wake asks for Woken after a time; it replaces an earlier one.
	Wake struct{ After time.Duration }

	// Leave ends the login screen: a session begins, or Err says why none can.
	Leave struct{ Err error }
)

func (Send) action()   {}
func (Reopen) action() {}
func (Wake) action()   {}
func (Leave) action()  {}
