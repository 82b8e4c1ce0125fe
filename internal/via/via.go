// Package via names the ways by which programs on a server reach a client's display, as
// people type them: in the configuration, on a command line, between our programs.
package via

import (
	"errors"
	"fmt"
	"slices"
)

// Way is one of them. Its text is its name.
type Way int

const (
	Auto        Way = iota // whatever suits the server
	Accelerated            // by the accelerator, if the server has ltsp-server-agent
	Forwarded              // by SSH's own X11 forwarding
	Direct                 // over TCP, without encryption
)

var names = []string{"auto", "accelerated", "forwarded", "direct"}

func (w Way) String() string {
	if w < 0 || int(w) >= len(names) {
		return fmt.Sprintf("way %d", int(w))
	}
	return names[w]
}

// MarshalText implements encoding.TextMarshaler.
func (w Way) MarshalText() ([]byte, error) {
	if w < 0 || int(w) >= len(names) {
		return nil, fmt.Errorf("%v is none", w)
	}
	return []byte(names[w]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. What is no name leaves w as it is.
func (w *Way) UnmarshalText(text []byte) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return errors.New("expected auto, accelerated, forwarded or direct")
	}
	*w = Way(i)
	return nil
}
