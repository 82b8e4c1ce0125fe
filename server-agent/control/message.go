package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"goldm/internal/tagged"
	"goldm/server-agent/sessions"
)

// Path is where the daemon listens.
const Path = "/run/ltsp-server-agent/agent.sock"

const (
	MaxRequest = 4 << 10 // bytes of a line to the daemon
	MaxReply   = 1 << 20 // bytes of a line from it
	Page       = 1000    // sessions in a List

	// WriteLimit is how long the other end may take to read a message.
	WriteLimit = 10 * time.Second
)

// A Message is a pointer to one of the structs of this package.
type Message interface{ messageType() string }

// Register says that a session is there, as long as the connection is open.
type Register struct {
	ID     string    `json:"id"`
	Client string    `json:"client"` // for people
	Began  time.Time `json:"began"`

	// One makes it count only where the user has no other session.
	One bool `json:"one,omitempty"`
	// Replace ends those others first.
	Replace bool `json:"replace,omitempty"`
	// Again is for a session that was registered with a daemon before this one: it is
	// there whatever else there is.
	Again bool `json:"again,omitempty"`
}

// Registered is the answer to Register. Without Held and Refused the session counts.
type Registered struct {
	Held    []sessions.Session `json:"held,omitempty"`    // the others of the user, which are in the way
	Refused string             `json:"refused,omitempty"` // a sentence for the person
	Warning string             `json:"warning,omitempty"` // for the log
}

// Login tells how a login went.
type Login struct {
	Result  string  `json:"result"`  // one of Results
	Seconds float64 `json:"seconds"` // from the agent's begin to the desktop's
}

// The results of logins that are counted.
const (
	Started = "started" // the desktop runs
	Failed  = "failed"  // it does not
	Refused = "refused" // the server is drained
	Held    = "held"    // there was another session, and it stayed
)

// Ending tells a registered session that it shall end.
type Ending struct {
	By string `json:"by"` // where its user is instead
}

// Info is the state of the daemon.
type Info struct {
	Name      string    `json:"name"` // of this server in the cluster
	Drained   bool      `json:"drained"`
	Since     time.Time `json:"since,omitzero"` // of Drained
	Cluster   string    `json:"cluster"`        // for people
	Reachable bool      `json:"reachable"`      // false without a cluster too
	Servers   []Other   `json:"servers"`        // the others
}

// Other is another server of the cluster.
type Other struct {
	Name     string   `json:"name"`
	Hosts    []string `json:"hosts"`
	Port     int      `json:"port"`
	Rating   int      `json:"rating"`
	Sessions int      `json:"sessions"`
	Drained  bool     `json:"drained"`
}

// The requests that Client's methods make by themselves, and the other answers.
type (
	ListRequest struct {
		Others bool `json:"others,omitempty"` // only the own user's, but for those that end
	}
	LeaveRequest struct {
		ID string `json:"id"`
	}
	EndRequest struct {
		ID string `json:"id"`
	}
	DrainRequest struct {
		Drain bool `json:"drain"`
	}
	InfoRequest struct{}

	// List answers a ListRequest, as often as it takes.
	List struct {
		List    []sessions.Session `json:"list"`
		More    bool               `json:"more,omitempty"` // another one follows
		Warning string             `json:"warning,omitempty"`
	}

	// Done answers what asks for nothing; with an Error it is the daemon's no to anything.
	Done struct {
		Error string `json:"error,omitempty"`
	}
)

func (*Register) messageType() string     { return "register" }
func (*Registered) messageType() string   { return "registered" }
func (*Login) messageType() string        { return "login" }
func (*Ending) messageType() string       { return "ending" }
func (*Info) messageType() string         { return "state" }
func (*ListRequest) messageType() string  { return "sessions" }
func (*EndRequest) messageType() string   { return "end" }
func (*LeaveRequest) messageType() string { return "leave" }
func (*DrainRequest) messageType() string { return "drain" }
func (*InfoRequest) messageType() string  { return "info" }
func (*List) messageType() string         { return "list" }
func (*Done) messageType() string         { return "done" }

func newMessage(kind string) Message {
	for _, m := range []Message{
		new(Register), new(Registered), new(Login), new(Ending), new(Info),
		new(ListRequest), new(EndRequest), new(LeaveRequest), new(DrainRequest), new(InfoRequest), new(List), new(Done),
	} {
		if m.messageType() == kind {
			return m
		}
	}
	return nil
}

// Write writes a message, in one Write.
func Write(w io.Writer, m Message, limit int) error {
	line, err := tagged.Encode(m.messageType(), m)
	if err != nil {
		return err
	}
	if line = append(line, '\n'); len(line) > limit {
		return fmt.Errorf("%s of %d bytes: the limit is %d", m.messageType(), len(line), limit)
	}
	_, err = w.Write(line)
	return err
}

// Reader reads messages of a bounded size.
type Reader struct{ lines *bufio.Scanner }

// NewReader returns a Reader of messages of limit bytes at most.
func NewReader(r io.Reader, limit int) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, min(limit, 4<<10)), limit)
	return &Reader{lines: s}
}

// Read returns the next message, or io.EOF. After any error there is none.
func (r *Reader) Read() (Message, error) {
	if !r.lines.Scan() {
		err := r.lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, &tagged.BadMessage{Reason: "a line that is too long"}
		}
		if err == nil {
			err = io.EOF
		}
		return nil, err
	}
	return tagged.Decode(r.lines.Bytes(), newMessage)
}
