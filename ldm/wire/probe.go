package wire

import "os"

// Watch tells a new probe what to watch; it is the only message to it.
type Watch struct {
	Servers []string `json:"servers"` // host or host:port, in the administrator's order
}

// The values of Server.State.
const (
	Unknown = ""     // it has not been asked yet
	Up      = "up"   // it takes logins
	Busy    = "busy" // it is there, and turns new connections away for now
	Down    = "down" // it cannot be reached, or does not answer as a login server
)

// Server is what a probe knows of a server.
type Server struct {
	Name  string `json:"name"` // the one of Watch.Servers
	State string `json:"state,omitempty"`
	RTT   int    `json:"rtt,omitempty"` // round-trip time in microseconds; 0 where unknown
}

// Servers is all that a probe knows now.
type Servers struct {
	List []Server `json:"list"` // all of Watch.Servers, the best for a login first
}

func (*Watch) messageType() string   { return "watch" }
func (*Servers) messageType() string { return "servers" }

// ProbePair returns ldm's end and, as a file to hand to the probe, the probe's.
func ProbePair() (*Conn, *os.File, error) { return socketPair("probe", fromProbe) }

// Probe makes the probe's end of the file that it inherited, and closes the file.
func Probe(file *os.File) (*Conn, error) { return newConn(file, toProbe) }

// toProbe returns an empty message of a type that ldm sends to a probe.
func toProbe(kind string) Message {
	if kind == "watch" {
		return new(Watch)
	}
	return nil
}

// fromProbe returns an empty message of a type that a probe sends.
func fromProbe(kind string) Message {
	if kind == "servers" {
		return new(Servers)
	}
	return nil
}
