package login

import (
	"time"

	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// ConnID numbers the connections of greeters to a seat's socket, from 1.
type ConnID int

// LoginID numbers the logins of a seat, from 1.
type LoginID int

// An Event is something that happened to the seat.
type Event interface{ event() }

type (
	// XUp: the X server takes clients.
	XUp struct{ Screen wire.Screen }
	// XGone: the X server ended, or did not come up.
	XGone struct{ Err error }

	// GreeterGone: the greeter that the seat started ended, or could not be started.
	GreeterGone struct{ Err error }

	// Request arrived from a greeter.
	Request struct {
		Conn    ConnID
		Request greetd.Request
	}
	// BadRequest: a frame arrived that makes no sense; the connection goes on.
	BadRequest struct {
		Conn   ConnID
		Reason string
	}
	// ConnGone: a greeter closed its connection, or broke it.
	ConnGone struct{ Conn ConnID }

	// FromWorker is a message of a login's worker.
	FromWorker struct {
		Login   LoginID
		Message wire.Message
	}
	// WorkerGone: a login's worker ended, or could not be started; all that it
	// started is gone too.
	WorkerGone struct {
		Login LoginID
		Err   error
	}

	// LocalUp: the client is as ready for a login's session as it will be.
	LocalUp struct {
		Login LoginID
		Sound *wire.Sound // nil for a session without
	}
	// LocalGone: of what a login's session had on the client nothing is left.
	LocalGone struct{ Login LoginID }

	// Servers is what the probe knows of the servers.
	Servers struct{ List []wire.Server }

	// AbortKey: the person at the keyboard wants the session to end, however stuck it is.
	AbortKey struct{}

	// Shutdown asks the seat to end.
	Shutdown struct{}
)

func (XUp) event()         {}
func (XGone) event()       {}
func (GreeterGone) event() {}
func (Request) event()     {}
func (BadRequest) event()  {}
func (ConnGone) event()    {}
func (FromWorker) event()  {}
func (WorkerGone) event()  {}
func (LocalUp) event()     {}
func (LocalGone) event()   {}
func (Servers) event()     {}
func (AbortKey) event()    {}
func (Shutdown) event()    {}

// An Action is something that the seat shall do. None of them blocks; what
// comes of it is a later event.
type Action interface{ action() }

type (
	// StartX starts an X server after a pause; XUp or XGone follow.
	StartX struct {
		After   time.Duration
		Session bool // it is the session's, not the greeter's
	}
	// StopX stops the X server; XGone follows.
	StopX struct{}

	// StartGreeter starts the greeter after a pause; GreeterGone follows in the end.
	StartGreeter struct{ After time.Duration }
	// StopGreeter asks the greeter to end; GreeterGone follows.
	StopGreeter struct{}

	// Reply answers a greeter.
	Reply struct {
		Conn     ConnID
		Response greetd.Response
	}

	// StartWorker starts the worker of a login.
	StartWorker struct {
		Login      LoginID
		User       string
		Servers    []string
		OneSession string        // see wire.Login
		Known      []wire.Server // what the probe told of Servers
		Found      []string      // those of Servers that the administrator did not name
	}
	// Tell sends a message to a worker.
	Tell struct {
		Login   LoginID
		Message wire.Message
	}
	// StopWorker ends a login or its session; WorkerGone follows.
	StopWorker struct{ Login LoginID }

	// StartLocal makes the client ready for the session of a login: a local user
	// and sound. LocalUp follows, soon and in any case.
	StartLocal struct {
		Login    LoginID
		User     string
		Language string // of the session; empty for the server's, which is not known
	}
	// ShowLocal says which display the programs of the client use.
	ShowLocal struct {
		Login  LoginID
		Screen wire.Screen
	}
	// RunProgram runs a program on the client, or tells the worker why not; it comes after
	// ShowLocal.
	RunProgram struct {
		Login LoginID
		Run   *wire.Run
	}
	// StopLocal ends and removes all of that; LocalGone follows.
	StopLocal struct{ Login LoginID }

	// SwitchOff ends the machine: wire.Halt, or starts it anew: wire.Reboot.
	SwitchOff struct {
		Login  LoginID
		Action string
	}

	// Report puts a line into the log; Login may be 0.
	Report struct {
		Login  LoginID
		Bad    bool
		Text   string
		Detail string
	}
	// Announce shows a sentence on the text console, for want of a greeter.
	Announce struct{ Text string }
	// Exit: everything is down; the seat is done.
	Exit struct{}
)

func (StartX) action()       {}
func (StopX) action()        {}
func (StartGreeter) action() {}
func (StopGreeter) action()  {}
func (Reply) action()        {}
func (StartWorker) action()  {}
func (Tell) action()         {}
func (StopWorker) action()   {}
func (StartLocal) action()   {}
func (ShowLocal) action()    {}
func (RunProgram) action()   {}
func (StopLocal) action()    {}
func (SwitchOff) action()    {}
func (Report) action()       {}
func (Announce) action()     {}
func (Exit) action()         {}
