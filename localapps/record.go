package localapps

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"goldm/internal/tagged"
	"goldm/internal/text"
)

// version is the protocol's; LTSP 5's is the first.
const version = 2

// client is the direction of requests for programs on the client. The other one, for
// programs on the server, is for local desktops.
const client = "client"

// A record stands between these, so that a broken one does not spoil the next: JSON
// Text Sequences, RFC 7464.
const (
	recordBegin = 0x1e
	recordEnd   = '\n'
	recordMarks = "\x1e\n"
)

// maxRecord bounds a record, in bytes of JSON. A Request that fits has room in ldm's
// messages too.
const maxRecord = 48 << 10

// maxReason bounds a sentence, in runes.
const maxReason = 500

type record interface{ recordType() string }

// runRecord is a Request on its way.
type runRecord struct {
	Version   int      `json:"version"`
	Direction string   `json:"direction"` // which side is to run it: "client"
	ID        uint32   `json:"id"`        // the asker's own
	Window    uint32   `json:"window"`    // of the asker, for the answers; 0 for none
	Args      []string `json:"args"`
	Dir       string   `json:"dir,omitempty"`
	Startup   string   `json:"startup,omitempty"`
	Wait      bool     `json:"wait,omitempty"`
}

// stateRecord is a State on its way back.
type stateRecord struct {
	ID     uint32 `json:"id"` // the asker's own
	State  string `json:"state"`
	PID    int    `json:"pid,omitempty"`
	Status int    `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (*runRecord) recordType() string   { return "run" }
func (*stateRecord) recordType() string { return "state" }

func byType(kind string) record {
	switch kind {
	case "run":
		return new(runRecord)
	case "state":
		return new(stateRecord)
	}
	return nil
}

// encode returns a record as it stands in a property.
func encode(r record) ([]byte, error) {
	object, err := tagged.Encode(r.recordType(), r)
	if err != nil {
		return nil, err
	}
	if len(object) > maxRecord {
		return nil, fmt.Errorf("the command is longer than %d bytes as it is sent", maxRecord)
	}
	out := make([]byte, 0, len(object)+2)
	return append(append(append(out, recordBegin), object...), recordEnd), nil
}

func decode(object []byte) (record, error) {
	if !utf8.Valid(object) {
		return nil, &tagged.BadMessage{Reason: "not UTF-8"}
	}
	return tagged.Decode(object, byType)
}

// splitter finds the records in a property that comes in pieces. It holds no more
// than one record.
type splitter struct {
	record []byte
	inside bool
	bad    int // counts what was cut off, too long, or no record at all
}

// feed takes the next piece and calls each with every record that it completes, which is
// valid during the call.
func (s *splitter) feed(piece []byte, each func(object []byte)) {
	for len(piece) > 0 {
		if s.inside {
			piece = s.goOn(piece, each)
			continue
		}
		begin := bytes.IndexByte(piece, recordBegin)
		if begin != 0 {
			s.bad++
		}
		if begin < 0 {
			return
		}
		s.inside, piece = true, piece[begin+1:]
	}
}

// goOn takes what belongs to the record that has begun, and returns the rest.
func (s *splitter) goOn(piece []byte, each func([]byte)) []byte {
	end := bytes.IndexAny(piece, recordMarks)
	rest := piece[max(end, 0):]
	if end < 0 {
		end, rest = len(piece), nil
	}
	if len(s.record)+end > maxRecord {
		s.reset()
		return rest
	}
	s.record = append(s.record, piece[:end]...)
	switch {
	case len(rest) == 0:
	case rest[0] == recordEnd:
		each(s.record)
		s.record, s.inside, rest = s.record[:0], false, rest[1:]
	default: // the next one begins
		s.reset()
	}
	return rest
}

// reset gives up a record that is not complete.
func (s *splitter) reset() {
	if s.inside {
		s.bad++
	}
	s.record, s.inside = s.record[:0], false
}

// state checks what an agent says.
func (r *stateRecord) state() (State, error) {
	switch r.State {
	case Accepted, Denied, NotFound, Failed, Started, Exited:
		return State{Name: r.State, PID: r.PID, Status: r.Status, Reason: text.Line(r.Reason, maxReason)}, nil
	}
	return State{}, errors.New("no such state")
}
