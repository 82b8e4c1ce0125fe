package infowire

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// Version is that of the format.
	Version = 1

	Port     = 9572       // of HTTP
	TextPort = 9571       // of LTSP 5's ldminfod
	Path     = "/v1/info" // of the URL

	// MaxSize bounds an answer, in bytes.
	MaxSize = 64 << 10

	// MaxServers bounds the other servers in an answer.
	MaxServers = 200

	// Unknown is the value of a number that the server does not know.
	Unknown = -1
)

// Info is the answer.
type Info struct {
	Version      int      `json:"version"`      // of the format
	Agent        string   `json:"agent"`        // the program's version
	Capabilities []string `json:"capabilities"` // what the agent can do for a session

	Rating  int  `json:"rating"`  // 0 (full) to 100 (idle), or Unknown
	Drained bool `json:"drained"` // new logins shall go elsewhere
	Running int  `json:"running"` // how many sessions run here, or Unknown

	// Servers are others of the same cluster, as host or host:port. A client goes there only
	// where its administrator allows it and its known_hosts names them.
	Servers []string `json:"servers,omitempty"`

	Sessions  []Session `json:"sessions"`
	Languages []string  `json:"languages"` // locales such as de_DE.UTF-8, the server's own first
	Keyboard  *Keyboard `json:"keyboard,omitempty"`

	Load     *Load     `json:"load,omitempty"`
	Memory   *Memory   `json:"memory,omitempty"`
	Pressure *Pressure `json:"pressure,omitempty"`
}

// Session is a desktop that the server offers.
type Session struct {
	ID    string            `json:"id"`
	Name  string            `json:"name"`            // for a person, untranslated
	Names map[string]string `json:"names,omitempty"` // translated, by language such as de or pt_BR
	Exec  []string          `json:"exec"`
}

// Keyboard is the server's own, a hint at what its people type on. Its members are
// those of keyboard(5).
type Keyboard struct {
	Model   string `json:"model,omitempty"`
	Layout  string `json:"layout,omitempty"`
	Variant string `json:"variant,omitempty"`
	Options string `json:"options,omitempty"`
}

// Load is how many processes run or wait, on average (proc_loadavg(5)), and on how many
// processors.
type Load struct {
	CPUs    int     `json:"cpus"`
	One     float64 `json:"one"` // in the last minute
	Five    float64 `json:"five"`
	Fifteen float64 `json:"fifteen"`
}

// Memory is that of the server in bytes (proc_meminfo(5)).
type Memory struct {
	Total     int64 `json:"total"`
	Available int64 `json:"available"`
}

// Pressure is the share of the last ten seconds, in percent, in which something waited
// for a processor, memory or a disk (the kernel's PSI, "some avg10").
type Pressure struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	IO     float64 `json:"io"`
}

// Decode reads an answer, which may be anybody's.
func Decode(answer []byte) (*Info, error) {
	if len(answer) > MaxSize {
		return nil, fmt.Errorf("answer over %d bytes", MaxSize)
	}
	info := &Info{Rating: Unknown, Running: Unknown}
	if err := json.Unmarshal(answer, info); err != nil {
		return nil, err
	}
	switch {
	case info.Version != Version:
		return nil, fmt.Errorf("version %d of the format, not %d", info.Version, Version)
	case info.Rating < Unknown || info.Rating > 100:
		return nil, fmt.Errorf("a rating of %d", info.Rating)
	case info.Running < Unknown:
		return nil, errors.New("less than no sessions")
	case len(info.Servers) > MaxServers:
		return nil, fmt.Errorf("%d other servers", len(info.Servers))
	}
	return info, nil
}

// Encode writes an answer. What makes it too long is left out: translations first, then
// languages, other servers and sessions from the end.
func Encode(info Info) ([]byte, error) {
	for {
		answer, err := json.Marshal(info)
		if err != nil || len(answer) < MaxSize {
			return append(answer, '\n'), err
		}
		if !info.shorten() {
			return nil, fmt.Errorf("answer of %d bytes: the limit is %d", len(answer), MaxSize)
		}
	}
}

// shorten leaves out what can be done without. It changes no slice in place: others may
// read them.
func (i *Info) shorten() bool {
	translated := false
	sessions := make([]Session, len(i.Sessions))
	for n, s := range i.Sessions {
		translated = translated || s.Names != nil
		s.Names = nil
		sessions[n] = s
	}
	switch {
	case translated:
		i.Sessions = sessions
	case len(i.Languages) > 1:
		i.Languages = i.Languages[:len(i.Languages)/2]
	case len(i.Servers) > 10: // which all clients together still spread over
		i.Servers = i.Servers[:len(i.Servers)/2]
	case len(i.Sessions) > 0:
		i.Sessions = i.Sessions[:len(i.Sessions)/2]
	default:
		return false
	}
	return true
}
