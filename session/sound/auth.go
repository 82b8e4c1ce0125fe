package sound

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// cookieSize is the length of PulseAudio's cookies.
const cookieSize = 256

// maxAuth bounds a program's first packet, which has 276 bytes in all versions.
const maxAuth = 1024

// versionMask leaves the protocol's version in the word whose upper bits offer
// to share memory, by shm_open(3) and by memfd_create(2).
const versionMask = 0x0000ffff

var errCookie = errors.New("the program has another cookie")

// auth is a program's first packet.
type auth struct {
	tag     uint32
	version uint32 // with what it offers
	cookie  []byte
}

// readAuth reads a program's first packet.
func readAuth(r io.Reader) (auth, error) {
	header, err := readFrame(r)
	if err != nil {
		return auth{}, err
	}
	if !header.isPacket() || header.length() > maxAuth {
		return auth{}, errors.New("no greeting of PulseAudio's protocol")
	}
	packet := make([]byte, header.length())
	if _, err := io.ReadFull(r, packet); err != nil {
		return auth{}, err
	}
	return parseAuth(packet)
}

func parseAuth(packet []byte) (a auth, err error) {
	c, rest, err := parseCommand(packet)
	if err != nil {
		return a, err
	}
	if c.code != commandAuth {
		return a, fmt.Errorf("command %d before a cookie", c.code)
	}
	if a.version, rest, err = takeU32(rest); err != nil {
		return a, err
	}
	if len(rest) < 5 || rest[0] != typeBytes {
		return a, errTruncated
	}
	if length := binary.BigEndian.Uint32(rest[1:]); int(length) != len(rest)-5 {
		return a, fmt.Errorf("cookie of %d bytes in %d", length, len(rest)-5)
	}
	a.tag, a.cookie = c.tag, rest[5:]
	return a, nil
}

// append appends the frame for the daemon: with the daemon's cookie, and without
// any memory to share.
func (a auth) append(to []byte) []byte {
	packet := command{commandAuth, a.tag}.append(nil)
	packet = appendU32(packet, a.version&versionMask)
	packet = binary.BigEndian.AppendUint32(append(packet, typeBytes), uint32(len(a.cookie)))
	return appendPacket(to, append(packet, a.cookie...))
}

// admit checks the cookie that a program of the session has and returns its
// greeting with the daemon's.
func (a auth) admit(own, daemons []byte) (auth, error) {
	if subtle.ConstantTimeCompare(a.cookie, own) != 1 {
		return a, errCookie
	}
	a.cookie = bytes.Clone(daemons)
	return a, nil
}

// appendPacket appends a frame that is a packet.
func appendPacket(to, packet []byte) []byte {
	var header frame
	header.setLength(len(packet))
	binary.BigEndian.PutUint32(header[4:], packetChannel)
	return append(append(to, header[:]...), packet...)
}
