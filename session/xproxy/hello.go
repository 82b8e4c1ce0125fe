package xproxy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// magic is what the far half writes first. What comes before is what the user's shell
// prints at its start.
const magic = "\ngoldm-x11 1\n"

const (
	maxNoise  = 64 << 10 // bytes before magic
	maxLine   = 4 << 10  // of a hello, in bytes with the newline
	maxCookie = 64
)

// Offer is what the near half says before anything else.
type Offer struct {
	Cookie []byte // MIT-MAGIC-COOKIE-1, which programs have to show and the near half takes
	Plain  bool   // nothing is to be answered by the far half
}

// Place is where programs find the display: the far half's answer.
type Place struct {
	Display   string `json:"display,omitempty"`   // such as ":100"
	Authority string `json:"authority,omitempty"` // name of the Xauthority file
	Error     string `json:"error,omitempty"`     // why there is none
}

type offerLine struct {
	Cookie string `json:"cookie"`
	Plain  bool   `json:"plain,omitempty"`
}

// Introduce is the near half's part in meeting the other one, over a new connection.
func Introduce(rw io.ReadWriter, offer Offer) (Place, error) {
	var place Place
	if err := skipTo(rw, magic); err != nil {
		return place, fmt.Errorf("X11 far half: %w", err)
	}
	if err := writeLine(rw, offerLine{Cookie: hex.EncodeToString(offer.Cookie), Plain: offer.Plain}); err != nil {
		return place, fmt.Errorf("X11 far half: %w", err)
	}
	if err := readLine(rw, &place); err != nil {
		return place, fmt.Errorf("X11 far half: %w", err)
	}
	if place.Error != "" || place.Display == "" {
		return place, fmt.Errorf("X11 far half: %.200q", place.Error)
	}
	return place, nil
}

// Await is the far half's part: it returns the offer, which Answer answers.
func Await(rw io.ReadWriter) (Offer, error) {
	if _, err := io.WriteString(rw, magic); err != nil {
		return Offer{}, err
	}
	var line offerLine
	if err := readLine(rw, &line); err != nil {
		return Offer{}, fmt.Errorf("X11 near half: %w", err)
	}
	cookie, err := hex.DecodeString(line.Cookie)
	if err != nil || len(cookie) == 0 || len(cookie) > maxCookie {
		return Offer{}, errors.New("X11 near half: it has no cookie")
	}
	return Offer{Cookie: cookie, Plain: line.Plain}, nil
}

// Answer tells the near half where the display is.
func Answer(w io.Writer, place Place) error { return writeLine(w, place) }

// skipTo reads up to what ends in mark, and not a byte more.
func skipTo(r io.Reader, mark string) error {
	var last []byte
	var b [1]byte
	for range maxNoise {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		if last = append(last, b[0]); len(last) > len(mark) {
			last = last[1:]
		}
		if string(last) == mark {
			return nil
		}
	}
	return errors.New("it does not say hello")
}

func writeLine(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// readLine reads a line, and not a byte more.
func readLine(r io.Reader, v any) error {
	var line bytes.Buffer
	for line.Len() < maxLine {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		if b[0] == '\n' {
			return json.Unmarshal(line.Bytes(), v)
		}
		line.WriteByte(b[0])
	}
	return errors.New("hello is too long")
}
