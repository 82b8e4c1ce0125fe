package wire

import "goldm/internal/via"

// A Message is a pointer to one of the structs of this package.
type Message interface{ messageType() string }

// Login tells a new worker what to do; it is the first message.
type Login struct {
	ID      string   `json:"id"`      // of this login, for the log
	User    string   `json:"user"`    // as typed: any UTF-8 without NUL
	Servers []string `json:"servers"` // host or host:port, in the administrator's order

	// Found lists those of Servers that other servers named and not the administrator: they
	// count only where KnownHosts has their keys exactly.
	Found []string `json:"found,omitempty"`

	// Known is what a probe told of Servers, which the order of tries goes by.
	Known []Server `json:"known,omitempty"`

	// KnownHosts lists files in the format of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
	KnownHosts []string `json:"known_hosts"`

	// X11 is how the session will reach the display. A name that is none makes no message.
	X11 via.Way `json:"x11,omitempty"`

	// OneSession says what happens to other sessions of the user: EndOthers,
	// AskOthers, or nothing where it is empty.
	OneSession string `json:"one_session,omitempty"`

	XSession string            `json:"xsession,omitempty"` // the session script on the server; empty for the usual places
	Env      map[string]string `json:"env"`                // LTSP_CLIENT and its like, for the session on the server
}

// The values of Login.OneSession.
const (
	EndOthers = "end" // they are ended
	AskOthers = "ask" // the person is asked
)

// Answer answers a Question; Text is nil where none was wanted.
type Answer struct {
	Text *string `json:"text"`
}

// Start asks an authenticated worker to prepare the desktop, which it starts when Screen has come.
type Start struct {
	Session  string `json:"session,omitempty"`  // a session's id or its Exec; empty for the server's default
	Language string `json:"language,omitempty"` // the session's LANG; empty for the server's default
	Sound    *Sound `json:"sound,omitempty"`    // nil for a session without sound
	Apps     *Apps  `json:"apps,omitempty"`     // nil for a session that runs nothing on the client
}

// Screen is the session's X server, which was started for this session alone: no program of
// the login screen has its cookie. The worker learns of it last, and then starts the desktop.
type Screen struct {
	Display string `json:"display"` // such as ":0"
	Cookie  []byte `json:"cookie"`  // its MIT-MAGIC-COOKIE-1, 16 bytes
}

// Sound is where the client's sound daemon takes programs, in PulseAudio's native
// protocol.
type Sound struct {
	Socket string `json:"socket"` // path; it may come and go with the daemon
	Cookie []byte `json:"cookie"` // the daemon's authentication cookie, 256 bytes
}

// Progress says what the worker is waiting for, a few words for the person.
type Progress struct {
	Text string `json:"text"`
}

// The values of Question.Kind; those of greetd's auth_message_type.
const (
	Visible = "visible"
	Secret  = "secret"
	Info    = "info"
	Trouble = "error"
)

// Question is text that the server, or the worker, wants answered: a question,
// or something to read, which a nil Answer acknowledges.
type Question struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Authenticated reports that the server let the user in. The worker now waits
// for Start.
type Authenticated struct {
	Server string `json:"server"` // the one of Login.Servers that did
}

// Failed reports that the login came to nothing; the worker exits after it.
type Failed struct {
	Refused  bool   `json:"refused"`          // the server refused the user or the answers
	Sentence string `json:"sentence"`         // for the person
	Detail   string `json:"detail,omitempty"` // for the log; no secrets
}

// Started reports that the server runs the session's first command.
type Started struct{}

// Ended reports the end of a session; the worker exits after it.
type Ended struct {
	Sentence string `json:"sentence,omitempty"` // for the person, where it did not end by logging out
	Detail   string `json:"detail,omitempty"`   // for the log
}

func (*Login) messageType() string         { return "login" }
func (*Answer) messageType() string        { return "answer" }
func (*Start) messageType() string         { return "start" }
func (*Screen) messageType() string        { return "screen" }
func (*Progress) messageType() string      { return "progress" }
func (*Question) messageType() string      { return "question" }
func (*Authenticated) messageType() string { return "authenticated" }
func (*Failed) messageType() string        { return "failed" }
func (*Started) messageType() string       { return "started" }
func (*Ended) messageType() string         { return "ended" }
func (*Run) messageType() string           { return "run" }
func (*Ran) messageType() string           { return "ran" }
func (*NeedHome) messageType() string      { return "need_home" }
func (*Home) messageType() string          { return "home" }
func (*LogoutAction) messageType() string  { return "logout_action" }

// fromDaemon returns an empty message of a type that ldm sends.
func fromDaemon(kind string) Message {
	switch kind {
	case "login":
		return new(Login)
	case "answer":
		return new(Answer)
	case "start":
		return new(Start)
	case "screen":
		return new(Screen)
	case "ran":
		return new(Ran)
	case "need_home":
		return new(NeedHome)
	case "ping":
		return new(Ping)
	}
	return nil
}

// fromWorker returns an empty message of a type that a worker sends.
func fromWorker(kind string) Message {
	switch kind {
	case "progress":
		return new(Progress)
	case "question":
		return new(Question)
	case "authenticated":
		return new(Authenticated)
	case "failed":
		return new(Failed)
	case "started":
		return new(Started)
	case "ended":
		return new(Ended)
	case "run":
		return new(Run)
	case "home":
		return new(Home)
	case "logout_action":
		return new(LogoutAction)
	case "pong":
		return new(Pong)
	}
	return nil
}
