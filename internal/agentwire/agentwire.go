// Package agentwire holds the messages between a client and the
// `ltsp-server-agent session` that wraps its desktop on the server.
//
// They travel on the agent's standard input and output, through the SSH session
// channel: JSON objects tagged by their member "type", one a line. The agent
// says Hello first and Started once the desktop's first command runs, answers
// each Ping with Pong, and says Ended last. The client pings, and ends the session in
// order with End; closing the channel ends it too. Where the client has announced a
// menu, by the agent's option --local-menu, it sends it after Hello in as many Menu
// as it takes, and then MenuEnd, for which the agent waits a while before it starts
// the desktop.
package agentwire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"goldm/internal/tagged"
)

// Version is the version of the protocol that Hello names.
const Version = 1

// MaxLine bounds a line, in bytes with its newline.
const MaxLine = 4 << 10

// A Message is a pointer to one of the structs of this package.
type Message interface{ messageType() string }

// Hello is the agent's first message.
type Hello struct {
	Version int    `json:"version"` // of the protocol
	Agent   string `json:"agent"`   // the program's version, for the log
}

// Started reports that the desktop's first command runs.
type Started struct{}

// Pong answers a Ping.
type Pong struct{}

// Ended reports that no process of the session is left. It is the agent's last message.
type Ended struct {
	// Status is the exit status of the desktop's first command as a shell
	// would give it: 128 and the number of the signal that killed it.
	Status int `json:"status"`

	// From is the client on which the user ended this session for another one, if
	// that is why it ended.
	From string `json:"from,omitempty"`

	// Dark says that the session's display ended before the session.
	Dark bool `json:"dark,omitempty"`

	// Silent says that the agent ended the session because the client's pings had stopped: it was cut
	// off, or slept.
	Silent bool `json:"silent,omitempty"`

	// Hung says that the agent ended the session because a part of itself had stopped answering.
	Hung bool `json:"hung,omitempty"`
}

// Warning is something that an administrator should know about the session.
type Warning struct {
	Text string `json:"text"`
}

// OneSession is the variable by which a client tells `ltsp-server-agent session` what
// is to become of the user's other sessions. Without it they stay.
const OneSession = "LTSP_ONE_SESSION"

// The values of OneSession.
const (
	EndOthers          = "end"    // they are ended first
	RefuseBesideOthers = "refuse" // where there is one, the agent says Others and exits
)

// Others tells which other sessions the user has. `ltsp-server-agent others` says
// it, before the client asks for a desktop, and `session` says it last where the client
// wanted no desktop beside another session and there is one.
type Others struct {
	List []Session `json:"list"`

	// Missing says that there may be more, on servers that cannot be asked now.
	Missing bool `json:"missing,omitempty"`
}

// Drained says, as the last message of `session`, that the server takes no new
// logins.
type Drained struct{}

// Session is another session of the user.
type Session struct {
	Client string    `json:"client"` // name of the client's host, or its address; empty where unknown
	Server string    `json:"server"` // name of the server's host
	Began  time.Time `json:"began"`  // by the server's clock, in the server's time zone
}

// Ping tells the agent that the client is there. After the first one, their
// absence ends the session.
type Ping struct{}

// End asks the agent to end the session.
type End struct{}

// Menu is a part of the client's programs for the desktop's menus; put together, the
// parts are an internal/bundle.
type Menu struct {
	Data []byte `json:"data"` // at most MaxMenuData bytes
}

// MaxMenuData is how much of a menu fits into a line: base64 makes four bytes of three.
const MaxMenuData = 3000

// MenuEnd follows the last Menu.
type MenuEnd struct{}

func (*Hello) messageType() string   { return "hello" }
func (*Started) messageType() string { return "started" }
func (*Pong) messageType() string    { return "pong" }
func (*Ended) messageType() string   { return "ended" }
func (*Warning) messageType() string { return "warning" }
func (*Others) messageType() string  { return "others" }
func (*Drained) messageType() string { return "drained" }
func (*Ping) messageType() string    { return "ping" }
func (*End) messageType() string     { return "end" }
func (*Menu) messageType() string    { return "menu" }
func (*MenuEnd) messageType() string { return "menu_end" }

func newMessage(kind string) Message {
	switch kind {
	case "hello":
		return new(Hello)
	case "started":
		return new(Started)
	case "pong":
		return new(Pong)
	case "ended":
		return new(Ended)
	case "others":
		return new(Others)
	case "drained":
		return new(Drained)
	case "warning":
		return new(Warning)
	case "ping":
		return new(Ping)
	case "end":
		return new(End)
	case "menu":
		return new(Menu)
	case "menu_end":
		return new(MenuEnd)
	}
	return nil
}

// Write writes one message, in one Write.
func Write(w io.Writer, m Message) error {
	line, err := tagged.Encode(m.messageType(), m)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if len(line) > MaxLine {
		return fmt.Errorf("%s of %d bytes: the limit is %d", m.messageType(), len(line), MaxLine)
	}
	_, err = w.Write(line)
	return err
}

// Reader reads messages. Its memory does not grow with what arrives.
type Reader struct{ lines *bufio.Reader }

// NewReader returns a Reader of r, from which it may read ahead.
func NewReader(r io.Reader) *Reader {
	return &Reader{lines: bufio.NewReaderSize(r, MaxLine)}
}

// Read reads one line. The error is a *tagged.BadMessage where the line is
// no message, after which the next line can be read; a desktop without an agent
// prints what it likes. At the end it is io.EOF, whether or not a part of a line came.
func (r *Reader) Read() (Message, error) {
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, r.skip()
	}
	if err != nil {
		return nil, err
	}
	return tagged.Decode(line, newMessage)
}

// skip drops the rest of a line that is too long.
func (r *Reader) skip() error {
	for {
		_, err := r.lines.ReadSlice('\n')
		switch {
		case err == nil:
			return &tagged.BadMessage{Reason: fmt.Sprintf("line over %d bytes", MaxLine)}
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
