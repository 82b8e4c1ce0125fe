package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"goldm/internal/text"
	"goldm/ldm/wire"
)

const (
	// maxLine is that of a version string with its CR LF (RFC 4253, section 4.2).
	maxLine = 255
	// maxLines is how many lines may come before it, of which the RFC allows any number.
	maxLines = 50
)

// greeting reads what a server says first and returns what that makes it, with
// the reason where it is not up.
func greeting(r io.Reader) (state string, err error) {
	lines := bufio.NewReaderSize(r, maxLine)
	for n := range maxLines {
		line, err := lines.ReadSlice('\n')
		switch {
		case isVersion(string(line)) && err == nil:
			return wire.Up, nil
		case saysBusy(string(line)):
			return wire.Busy, errors.New(text.Line(string(line), maxLine))
		case n == 0 && len(line) == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)):
			return wire.Busy, errors.New("closed without a word") // as a login takes it
		case err != nil:
			return wire.Down, fmt.Errorf("after %q: %w", line, err)
		}
	}
	return wire.Down, fmt.Errorf("no version string in %d lines", maxLines)
}

// isVersion reports whether a line is the version string of a server that
// speaks version 2 of the protocol (RFC 4253, sections 4.2 and 5.1).
func isVersion(line string) bool {
	return strings.HasPrefix(line, "SSH-2.0-") || strings.HasPrefix(line, "SSH-1.99-")
}

// saysBusy reports whether sshd turns a connection away: it is over its
// MaxStartups, or holds something against this address (sshd_config(5),
// PerSourcePenalties).
func saysBusy(line string) bool {
	return strings.HasPrefix(line, "Exceeded MaxStartups") || strings.HasPrefix(line, "Not allowed at this time")
}
