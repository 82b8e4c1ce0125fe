package wire

import "os"

// Watch tells a new probe what to watch; it is the first message to it, and only Pings follow.
type Watch struct {
	Servers []string `json:"servers"` // host or host:port, in the administrator's order

	// Discover is for servers that these servers name, where files of known hosts have
	// their keys exactly.
	Discover   bool     `json:"discover,omitempty"`
	KnownHosts []string `json:"known_hosts,omitempty"`
}

// The values of Server.State.
const (
	Unknown = ""     // it has not been asked yet
	Up      = "up"   // it takes logins
	Busy    = "busy" // it is there, and turns new connections away for now
	Down    = "down" // it cannot be reached, or does not answer as a login server
)

// MaxServers bounds the servers that a probe watches, and those that a login is told
// of: a message holds as many with long names.
const MaxServers = 300

// Server is what a probe knows of a server.
type Server struct {
	Name    string `json:"name"` // the one of Watch.Servers, or as another server has it
	State   string `json:"state,omitempty"`
	RTT     int    `json:"rtt,omitempty"`     // round-trip time in microseconds; 0 where unknown
	Rating  int    `json:"rating,omitempty"`  // from 1, full, to 100, idle; 0 where unknown
	CPUs    int    `json:"cpus,omitempty"`    // how many processors it has; 0 where unknown
	Drained bool   `json:"drained,omitempty"` // new logins shall go elsewhere
}

// full is the rating below which a server has no room to speak of.
const full = 10

// Full tells whether another server is the better place for one more session.
func (s Server) Full() bool { return s.Rating > 0 && s.Rating < full }

// Servers is all that a probe knows now.
type Servers struct {
	List []Server `json:"list"` // all of Watch.Servers, in that order, and what was discovered
}

func (*Watch) messageType() string   { return "watch" }
func (*Servers) messageType() string { return "servers" }

// ProbePair returns ldm's end and, as a file to hand to the probe, the probe's.
func ProbePair() (*Conn, *os.File, error) { return socketPair("probe", fromProbe) }

// Probe makes the probe's end of the file that it inherited, and closes the file.
func Probe(file *os.File) (*Conn, error) { return newConn(file, toProbe) }

// toProbe returns an empty message of a type that ldm sends to a probe.
func toProbe(kind string) Message {
	switch kind {
	case "watch":
		return new(Watch)
	case "ping":
		return new(Ping)
	}
	return nil
}

// fromProbe returns an empty message of a type that a probe sends.
func fromProbe(kind string) Message {
	switch kind {
	case "servers":
		return new(Servers)
	case "pong":
		return new(Pong)
	}
	return nil
}
