package wire

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"goldm/internal/tagged"
)

// MaxFiles bounds the files that travel beside one message.
const MaxFiles = 8

// carrier is a message that files travel beside: unix(7), SCM_RIGHTS.
type carrier interface {
	carried() *[]*os.File
	due() int // how many, by what the message says
}

func (m *Home) carried() *[]*os.File { return &m.Files }
func (m *Home) due() int             { return len(m.Paths) }

// CloseFiles closes what travels beside a message, for who does not want it.
func CloseFiles(m Message) {
	if c, ok := m.(carrier); ok {
		closeAll(*c.carried())
		*c.carried() = nil
	}
}

// rights returns the control message with a message's files.
func rights(m Message) ([]byte, error) {
	c, ok := m.(carrier)
	if !ok {
		return nil, nil
	}
	files := *c.carried()
	if len(files) != c.due() || len(files) > MaxFiles {
		return nil, fmt.Errorf("%s with %d files: it says %d, the limit is %d", m.messageType(), len(files), c.due(), MaxFiles)
	}
	if len(files) == 0 {
		return nil, nil
	}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	return unix.UnixRights(fds...), nil
}

// controlSize is room for MaxFiles and no more: what does not fit the kernel
// closes, and says so by MSG_CTRUNC (recvmsg(2)).
var controlSize = unix.CmsgSpace(MaxFiles * 4)

// received takes the files out of control messages. The files that it returns
// with an error are to be closed too.
func received(control []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	var files []*os.File
	for _, m := range messages {
		fds, e := unix.ParseUnixRights(&m) // close-on-exec by package net: MSG_CMSG_CLOEXEC
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
		err = errors.Join(err, e)
	}
	return files, err
}

// attach gives a message the files that came beside it. Only one that says how
// many they are gets any.
func attach(m Message, files []*os.File) error {
	c, ok := m.(carrier)
	switch {
	case !ok && len(files) > 0:
		return &tagged.BadMessage{Reason: fmt.Sprintf("%s with %d files", m.messageType(), len(files))}
	case ok && len(files) != c.due():
		return &tagged.BadMessage{Reason: fmt.Sprintf("%s for %d files with %d", m.messageType(), c.due(), len(files))}
	case ok:
		*c.carried() = slices.Clip(files)
	}
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
