package xauth

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// MITMagicCookie is the name of the only scheme in use (Xsecurity(7)).
const MITMagicCookie = "MIT-MAGIC-COOKIE-1"

// A Family says what kind of address an entry holds.
type Family uint16

// The families that matter; Xauth.h and X.h.
const (
	Internet  Family = 0     // address: 4 bytes
	Internet6 Family = 6     // address: 16 bytes
	Local     Family = 256   // address: the host's name; displays reached through a Unix socket
	Wild      Family = 65535 // fits every display
)

// Bounds on a file. A person's has some ten entries of 50 bytes.
const (
	maxEntries = 1024
	maxFile    = 1 << 20
)

// An Entry says what to show to a display.
type Entry struct {
	Family  Family
	Address []byte
	Number  string // of the display, decimal; empty fits every number
	Name    string // of the scheme
	Data    []byte // the cookie
}

// NewCookie returns the data of a new MIT-MAGIC-COOKIE-1.
func NewCookie() []byte {
	cookie := make([]byte, 16)
	rand.Read(cookie) // never fails: crypto/rand
	return cookie
}

// Filename returns where the person's file is, as XauFileName does; empty when
// neither XAUTHORITY nor HOME says.
func Filename(getenv func(string) string) string {
	if name := getenv("XAUTHORITY"); name != "" {
		return name
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".Xauthority")
	}
	return ""
}

// ReadFile reads the file of that name. One that does not exist has no entries.
func ReadFile(name string) ([]Entry, error) {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries, err := Read(file)
	if err != nil {
		return entries, fmt.Errorf("%s: %w", name, err)
	}
	return entries, nil
}

// Read reads a file's entries to its end. Beside an error it returns what came
// before, since a file that is cut short is still good for that.
func Read(r io.Reader) ([]Entry, error) {
	limited := &io.LimitedReader{R: r, N: maxFile}
	in := bufio.NewReader(limited)
	var entries []Entry
	for {
		switch _, err := in.Peek(1); {
		case err == io.EOF && limited.N == 0:
			return entries, fmt.Errorf("%d bytes or more", maxFile)
		case err == io.EOF:
			return entries, nil
		}
		if len(entries) == maxEntries {
			return entries, fmt.Errorf("more than %d entries", maxEntries)
		}
		entry, err := readEntry(in)
		if err != nil {
			return entries, fmt.Errorf("entry %d: %w", len(entries)+1, err)
		}
		entries = append(entries, entry)
	}
}

func readEntry(r io.Reader) (Entry, error) {
	var family [2]byte
	if _, err := io.ReadFull(r, family[:]); err != nil {
		return Entry{}, unexpected(err)
	}
	var fields [4][]byte
	for i := range fields {
		field, err := readField(r)
		if err != nil {
			return Entry{}, unexpected(err)
		}
		fields[i] = field
	}
	return Entry{
		Family:  Family(binary.BigEndian.Uint16(family[:])),
		Address: fields[0],
		Number:  string(fields[1]),
		Name:    string(fields[2]),
		Data:    fields[3],
	}, nil
}

func readField(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	field := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, field)
	return field, err
}

// unexpected turns an end of file into one in the middle of an entry.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write writes entries, in one Write.
func Write(w io.Writer, entries []Entry) error {
	var out []byte
	for i, e := range entries {
		out = binary.BigEndian.AppendUint16(out, uint16(e.Family))
		for _, field := range [][]byte{e.Address, []byte(e.Number), []byte(e.Name), e.Data} {
			if len(field) > 0xffff {
				return fmt.Errorf("entry %d: a field of %d bytes: the limit is 65535", i+1, len(field))
			}
			out = binary.BigEndian.AppendUint16(out, uint16(len(field)))
			out = append(out, field...)
		}
	}
	_, err := w.Write(out)
	return err
}

// Lookup returns the first entry with a MIT-MAGIC-COOKIE-1 for a display's
// address and number, wild ones included: XauGetBestAuthByAddr(3).
func Lookup(entries []Entry, family Family, address []byte, number int) (Entry, bool) {
	for _, e := range entries {
		fits := e.Family == Wild || e.Family == family && bytes.Equal(e.Address, address)
		if fits && (e.Number == "" || e.Number == strconv.Itoa(number)) && e.Name == MITMagicCookie {
			return e, true
		}
	}
	return Entry{}, false
}
