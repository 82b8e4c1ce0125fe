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
	maxRequest = 4 << 10 // bytes of a line to the daemon
	maxReply   = 1 << 20 // bytes of a line from it
	page       = 1000    // sessions in a message
	maxList    = 100_000 // sessions that a client takes
)

type message interface{ messageType() string }

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

// The requests that need no more than their name, and the other answers.
type (
	listRequest struct {
		Others bool `json:"others,omitempty"` // only the own user's, but for those that end
	}
	leaveRequest struct {
		ID string `json:"id"`
	}
	endRequest struct {
		ID string `json:"id"`
	}
	drainRequest struct {
		Drain bool `json:"drain"`
	}
	infoRequest struct{}

	list struct {
		List    []sessions.Session `json:"list"`
		More    bool               `json:"more,omitempty"` // another one follows
		Warning string             `json:"warning,omitempty"`
	}
	done struct {
		Error string `json:"error,omitempty"`
	}
)

func (*Register) messageType() string     { return "register" }
func (*Registered) messageType() string   { return "registered" }
func (*Login) messageType() string        { return "login" }
func (*Ending) messageType() string       { return "ending" }
func (*Info) messageType() string         { return "state" }
func (*listRequest) messageType() string  { return "sessions" }
func (*endRequest) messageType() string   { return "end" }
func (*leaveRequest) messageType() string { return "leave" }
func (*drainRequest) messageType() string { return "drain" }
func (*infoRequest) messageType() string  { return "info" }
func (*list) messageType() string         { return "list" }
func (*done) messageType() string         { return "done" }

func newMessage(kind string) message {
	for _, m := range []message{
		new(Register), new(Registered), new(Login), new(Ending), new(Info),
		new(listRequest), new(endRequest), new(leaveRequest), new(drainRequest), new(infoRequest), new(list), new(done),
	} {
		if m.messageType() == kind {
			return m
		}
	}
	return nil
}

// write writes a message, in one Write.
func write(w io.Writer, m message, limit int) error {
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

// reader reads messages of a bounded size.
type reader struct{ lines *bufio.Scanner }

func newReader(r io.Reader, limit int) *reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, min(limit, 4<<10)), limit)
	return &reader{lines: s}
}

// read returns the next message, or io.EOF. After any error there is none.
func (r *reader) read() (message, error) {
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
