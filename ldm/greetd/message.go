package greetd

// A Request is what a greeter sends: *CreateSession, *AutomaticSession,
// *PostResponse, *StartSession, *CancelSession or *Describe.
type Request interface{ requestType() string }

// A Response is what the daemon answers: *Success, *Error, *AuthMessage, *Seat
// or *Progress.
type Response interface{ responseType() string }

// CreateSession begins the login of a user.
type CreateSession struct {
	Username string `json:"username"`

	// Server is the one of Seat.Servers that the person chose; empty for the
	// daemon's order. Ours.
	Server string `json:"server,omitempty"`

	// Progress asks for Progress messages before the response. Ours.
	Progress bool `json:"progress,omitempty"`
}

// AutomaticSession begins a login with the user name and the password of the
// client's configuration. Where Seat does not offer it the answer is an Error,
// else the responses are those of CreateSession, but for questions. Ours.
type AutomaticSession struct {
	Guest    bool `json:"guest,omitempty"` // the guest's, else the client's own
	Progress bool `json:"progress,omitempty"`
}

// PostResponse answers an AuthMessage; nil where no answer was asked for.
type PostResponse struct {
	Response *string `json:"response,omitempty"`
}

// StartSession asks for the session to begin once the greeter has exited.
type StartSession struct {
	Cmd []string `json:"cmd"`
	Env []string `json:"env,omitempty"`
}

// CancelSession gives the login up.
type CancelSession struct{}

// Describe asks what this seat offers; answered by Seat. Ours.
type Describe struct{}

// Success ends a step that went well.
type Success struct{}

// The values of Error.Type.
const (
	AuthError  = "auth_error" // the answers were wrong, or the server refused the user
	OtherError = "error"      // everything else
)

// Error ends a step that failed.
type Error struct {
	Type        string `json:"error_type"`
	Description string `json:"description"` // a sentence for the person at the screen
}

// The values of AuthMessage.Type.
const (
	Visible = "visible" // a question whose answer may be shown
	Secret  = "secret"  // a question whose answer may not
	Info    = "info"    // text that is acknowledged by an empty response
	Trouble = "error"   // the same, of something that went wrong
)

// AuthMessage is a question, or text to show, in the middle of a login.
type AuthMessage struct {
	Type string `json:"auth_message_type"`
	Text string `json:"auth_message"`
}

// The values of Seat.States.
const (
	Up   = "up"   // it takes logins
	Busy = "busy" // it is there, and turns new connections away for now or has no room
	Down = "down" // it cannot be reached

	Drained = "drained" // its administrator sends new logins elsewhere
)

// Seat describes the seat to a greeter that asked. Ours.
type Seat struct {
	Hostname string            `json:"hostname"`
	Servers  []string          `json:"servers"`           // host or host:port, in the daemon's order
	States   map[string]string `json:"states,omitempty"`  // of those servers that were asked: Up, Busy, Down or Drained
	Notices  []string          `json:"notices,omitempty"` // what the administrator should know, a sentence each

	// Guest offers a guest's session to whoever asks.
	Guest bool `json:"guest,omitempty"`

	// Automatic, where set, asks the greeter to begin a session by itself when
	// nobody does anything.
	Automatic *Automatic `json:"automatic,omitempty"`
}

// Automatic says when a greeter begins which session by itself. Ours.
type Automatic struct {
	After int  `json:"after"`           // seconds from now in which nobody touches a key
	Guest bool `json:"guest,omitempty"` // for AutomaticSession
}

// Progress tells what a slow step is doing. It comes any number of times before
// a response, and only where CreateSession.Progress asked for it. Ours.
type Progress struct {
	Text string `json:"text"`
}

func (*CreateSession) requestType() string { return "create_session" }
func (*AutomaticSession) requestType() string {
	return "create_automatic_session"
}
func (*PostResponse) requestType() string  { return "post_auth_message_response" }
func (*StartSession) requestType() string  { return "start_session" }
func (*CancelSession) requestType() string { return "cancel_session" }
func (*Describe) requestType() string      { return "describe" }

func (*Success) responseType() string     { return "success" }
func (*Error) responseType() string       { return "error" }
func (*AuthMessage) responseType() string { return "auth_message" }
func (*Seat) responseType() string        { return "seat" }
func (*Progress) responseType() string    { return "progress" }

func newRequest(kind string) Request {
	switch kind {
	case "create_session":
		return new(CreateSession)
	case "create_automatic_session":
		return new(AutomaticSession)
	case "post_auth_message_response":
		return new(PostResponse)
	case "start_session":
		return new(StartSession)
	case "cancel_session":
		return new(CancelSession)
	case "describe":
		return new(Describe)
	}
	return nil
}

func newResponse(kind string) Response {
	switch kind {
	case "success":
		return new(Success)
	case "error":
		return new(Error)
	case "auth_message":
		return new(AuthMessage)
	case "seat":
		return new(Seat)
	case "progress":
		return new(Progress)
	}
	return nil
}
