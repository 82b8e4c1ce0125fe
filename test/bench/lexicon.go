package main

import (
	"fmt"
	"sync"

	"goldm/internal/x11"
)

// lexicon gives requests their names. What extensions and atoms are called is learned from
// what the programs ask.
type lexicon struct {
	mu         sync.Mutex
	extensions map[byte]string
	atoms      map[uint32]string
}

func newLexicon() *lexicon {
	return &lexicon{extensions: make(map[byte]string), atoms: make(map[uint32]string)}
}

// Opcodes of requests that say a name, and of those whose subject is worth a word (appendix B).
const (
	internAtom        = 16
	getAtomName       = 17
	getProperty       = 20
	getSelectionOwner = 23
)

// maxSaid is how much of a request is looked at, in bytes.
const maxSaid = 256

// name is what a request is called, such as "RANDR GetMonitors".
func (l *lexicon) name(r x11.Request) string {
	if r.Major < x11.FirstExtension {
		if r.Major == 0 || int(r.Major) > len(coreRequests) {
			return fmt.Sprintf("request %d", r.Major)
		}
		return coreRequests[r.Major-1]
	}
	l.mu.Lock()
	extension := l.extensions[r.Major]
	l.mu.Unlock()
	if names := extensionRequests[extension]; int(r.Minor) < len(names) {
		return extension + " " + names[r.Minor]
	}
	if extension == "" {
		extension = fmt.Sprintf("extension %d", r.Major)
	}
	return fmt.Sprintf("%s %d", extension, r.Minor)
}

// subject is what a request asks for, if that is one name; whole may be cut at maxSaid.
func (l *lexicon) subject(o x11.Order, r x11.Request, whole []byte) string {
	switch {
	case r.Major == internAtom || r.Major == x11.QueryExtension:
		return saidName(o, whole)
	case r.Major == getProperty && len(whole) >= 12:
		return l.atom(o.Uint32(whole[8:]))
	case (r.Major == getSelectionOwner || r.Major == getAtomName) && len(whole) >= 8:
		return l.atom(o.Uint32(whole[4:]))
	case r.Major >= x11.FirstExtension && l.name(r) == "XInputExtension XIGetProperty" && len(whole) >= 12:
		return l.atom(o.Uint32(whole[8:]))
	}
	return ""
}

// saidName is the name in an InternAtom or a QueryExtension.
func saidName(o x11.Order, whole []byte) string {
	if len(whole) < 8 {
		return ""
	}
	rest := whole[8:]
	return string(rest[:min(len(rest), int(o.Uint16(whole[4:])))])
}

func (l *lexicon) atom(a uint32) string {
	if a > 0 && int(a) <= len(predefinedAtoms) {
		return predefinedAtoms[a-1]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if name, ok := l.atoms[a]; ok {
		return name
	}
	return fmt.Sprintf("atom %d", a)
}

// learn takes the head of the reply to a request that said a name.
func (l *lexicon) learn(o x11.Order, major byte, name string, reply []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch major {
	case internAtom:
		l.atoms[o.Uint32(reply[8:])] = name
	case x11.QueryExtension:
		if e := x11.ParseExtensionReply(reply); e.Present {
			l.extensions[e.Major] = name
		}
	}
}
