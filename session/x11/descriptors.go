package x11

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

const (
	// maxFromClient bounds the descriptors of a client that wait for their
	// request. libxcb sends as many at once (XCB_MAX_PASS_FD).
	maxFromClient = 16

	// maxFromServer bounds those of the X server that wait for their reply. It
	// sends no more at once than the kernel carries beside a message, 253
	// (SCM_MAX_FD), and those of a reply may have come before.
	maxFromServer = 2 * 253

	// maxAhead is how many bytes may lie between a descriptor and the request
	// that it belongs to. Libraries send descriptors beside the first byte of all
	// that they have buffered, 16 KiB of libxcb's and 16 KiB of Xlib's.
	maxAhead = 64 << 10
)

var (
	errFlood = errors.New("descriptors are more than any request has")
	errStray = errors.New("descriptors belong to no request")
)

// descriptors are those that came over a socket, in order, and belong to no
// request or reply yet. As in X servers and libxcb a message has the oldest;
// they come at the latest beside its last byte.
type descriptors struct {
	most  int
	read  int64 // bytes that have come over the socket
	queue []descriptor
}

type descriptor struct {
	fd int
	at int64 // it came beside a byte before this one
}

// add takes descriptors that came beside what was read last.
func (d *descriptors) add(fds []int) error {
	if len(d.queue)+len(fds) > d.most {
		closeAll(fds)
		return errFlood
	}
	for _, fd := range fds {
		d.queue = append(d.queue, descriptor{fd: fd, at: d.read})
	}
	return nil
}

// oldest returns the n oldest, which stay in the queue.
func (d *descriptors) oldest(n int) (fds []int, ok bool) {
	if n > len(d.queue) {
		return nil, false
	}
	for _, one := range d.queue[:n] {
		fds = append(fds, one.fd)
	}
	return fds, true
}

// take takes the n oldest out, or as many as there are. They are the caller's.
func (d *descriptors) take(n int) []int {
	n = min(n, len(d.queue))
	fds, _ := d.oldest(n)
	d.queue = append(d.queue[:0], d.queue[n:]...)
	return fds
}

// drop closes all.
func (d *descriptors) drop() { closeAll(d.take(len(d.queue))) }

// stray reports whether the oldest can belong to no request any more, with left
// bytes of what was read still to be framed.
func (d *descriptors) stray(left int) bool {
	return len(d.queue) > 0 && d.read-int64(left)-d.queue[0].at > maxAhead
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// socket is a Unix socket over which descriptors come beside the bytes.
type socket struct {
	*net.UnixConn
	descriptors
	control []byte
}

func newSocket(conn *net.UnixConn, most int) *socket {
	// What does not fit the kernel closes, and says so by MSG_CTRUNC (recvmsg(2)).
	return &socket{UnixConn: conn, descriptors: descriptors{most: most}, control: make([]byte, unix.CmsgSpace(4*most))}
}

// Read reads bytes, and queues what came beside them. The error may be errFlood.
func (s *socket) Read(p []byte) (int, error) {
	n, controls, flags, _, err := s.ReadMsgUnix(p, s.control)
	n = max(n, 0) // it is less where the socket is closed
	s.read += int64(n)
	if controls > 0 {
		err = errors.Join(err, s.add(received(s.control[:controls])))
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = errors.Join(err, errFlood)
	}
	return n, err
}

// received returns the descriptors in control messages.
func received(control []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if more, err := unix.ParseUnixRights(&m); err == nil { // no other kind was asked for
			fds = append(fds, more...)
		}
	}
	return fds
}

// WriteWith writes bytes with descriptors beside the first, and closes these.
func (s *socket) WriteWith(p []byte, fds []int) error {
	defer closeAll(fds)
	n, _, err := s.WriteMsgUnix(p, unix.UnixRights(fds...), nil)
	if err != nil {
		return err
	}
	if n < len(p) {
		_, err = s.Write(p[n:])
	}
	return err
}
