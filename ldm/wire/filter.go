package wire

import "os"

// Admit tells a new filter whom to let in where; it is the only message to it.
type Admit struct {
	Display string `json:"display"` // the seat's X display, such as ":0"
	Cookie  []byte `json:"cookie"`  // its MIT-MAGIC-COOKIE-1, which programs never see

	Shown []byte `json:"shown"` // the MIT-MAGIC-COOKIE-1 that programs show
	UID   int    `json:"uid"`   // of the login's local user, the only one that is let in

	// Listeners are Unix sockets that listen for programs.
	Listeners []*os.File `json:"-"`
}

// MaxListeners is how many listeners travel beside an Admit: those of a display's
// abstract name and of its path.
const MaxListeners = 2

// Admitting reports that programs are taken.
type Admitting struct{}

func (*Admit) messageType() string     { return "admit" }
func (*Admitting) messageType() string { return "admitting" }

func (m *Admit) carried() *[]*os.File { return &m.Listeners }
func (m *Admit) due() int             { return MaxListeners }

// FilterPair returns ldm's end and, as a file to hand to the filter, the filter's.
func FilterPair() (*Conn, *os.File, error) { return socketPair("filter", fromFilter) }

// Filter makes the filter's end of the file that it inherited, and closes the file.
func Filter(file *os.File) (*Conn, error) { return newConn(file, toFilter) }

// toFilter returns an empty message of a type that ldm sends to a filter.
func toFilter(kind string) Message {
	if kind == "admit" {
		return new(Admit)
	}
	return nil
}

// fromFilter returns an empty message of a type that a filter sends.
func fromFilter(kind string) Message {
	if kind == "admitting" {
		return new(Admitting)
	}
	return nil
}
