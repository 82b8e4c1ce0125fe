package home

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of packets: draft-ietf-secsh-filexfer-02, section 3.
const (
	typeInit     = 1
	typeVersion  = 2
	typeClose    = 4
	typeOpenDir  = 11
	typeRealPath = 16
	typeStatus   = 101
	typeHandle   = 102
	typeName     = 104
)

const (
	version = 3

	// maxPacket bounds what we read of a server: a list of extensions, a name.
	maxPacket = 64 << 10
)

// packet is a packet without its length: a type and what follows.
type packet []byte

func writePacket(w io.Writer, p packet) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...))
	return err
}

var errLength = errors.New("this is no SFTP packet; do the user's shell files on the server print something?")

// readPacket reads one packet of at least a type and a number.
func readPacket(r io.Reader) (packet, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n < 5 || n > maxPacket {
		return nil, errLength
	}
	p := make(packet, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return nil, err
	}
	return p, nil
}

// greet begins a conversation and returns the server's answer, with its
// extensions, whole.
func greet(rw io.ReadWriter) (packet, error) {
	if err := writePacket(rw, binary.BigEndian.AppendUint32(packet{typeInit}, version)); err != nil {
		return nil, err
	}
	answer, err := readPacket(rw)
	if err != nil {
		return nil, err
	}
	if answer[0] != typeVersion {
		return nil, errLength
	}
	if v := binary.BigEndian.Uint32(answer[1:]); v != version {
		return nil, fmt.Errorf("SFTP version %d, not %d", v, version)
	}
	return answer, nil
}

// ask sends a request about a string and returns the body of its answer, which is
// of the wanted type.
func ask(rw io.ReadWriter, kind byte, about string, want byte) ([]byte, error) {
	const id = 1 // one at a time
	request := binary.BigEndian.AppendUint32(packet{kind}, id)
	if err := writePacket(rw, appendString(request, about)); err != nil {
		return nil, err
	}
	answer, err := readPacket(rw)
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(answer[1:]) != id {
		return nil, errors.New("an SFTP answer to something else")
	}
	body := answer[5:]
	switch {
	case answer[0] == want:
		return body, nil
	case answer[0] == typeStatus && len(body) >= 4:
		return nil, statusError(binary.BigEndian.Uint32(body))
	}
	return nil, fmt.Errorf("an SFTP answer of type %d", answer[0])
}

func appendString(p packet, s string) packet {
	return append(binary.BigEndian.AppendUint32(p, uint32(len(s))), s...)
}

func cutString(body []byte) (s string, rest []byte, err error) {
	if len(body) < 4 {
		return "", nil, io.ErrUnexpectedEOF
	}
	n, body := binary.BigEndian.Uint32(body), body[4:]
	if uint64(n) > uint64(len(body)) {
		return "", nil, io.ErrUnexpectedEOF
	}
	return string(body[:n]), body[n:], nil
}

// statusError is a status that is not SSH_FX_OK: section 7.
type statusError uint32

func (e statusError) Error() string {
	switch e {
	case 2:
		return "there is no such folder"
	case 3:
		return "permission denied"
	}
	return fmt.Sprintf("SFTP status %d", uint32(e))
}

// workingDir asks for the absolute path of the folder that the server began in:
// section 6.11. sshd begins in the user's home, or in / where it cannot.
func workingDir(rw io.ReadWriter) (string, error) {
	body, err := ask(rw, typeRealPath, ".", typeName)
	if err != nil {
		return "", fmt.Errorf("realpath: %w", err)
	}
	if len(body) < 4 || binary.BigEndian.Uint32(body) != 1 {
		return "", errors.New("realpath: not one name")
	}
	path, _, err := cutString(body[4:])
	if err != nil {
		return "", fmt.Errorf("realpath: %w", err)
	}
	return path, nil
}

// checkFolder reports whether a folder can be listed.
func checkFolder(rw io.ReadWriter, path string) error {
	body, err := ask(rw, typeOpenDir, path, typeHandle)
	if err != nil {
		return err
	}
	handle, _, err := cutString(body)
	if err != nil {
		return fmt.Errorf("opendir: %w", err)
	}
	body, err = ask(rw, typeClose, handle, typeStatus)
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if code := binary.BigEndian.Uint32(append(body[:len(body):len(body)], 0, 0, 0, 0)); code != 0 {
		return fmt.Errorf("close: %w", statusError(code))
	}
	return nil
}
