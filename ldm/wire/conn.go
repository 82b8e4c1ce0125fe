package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/tagged"
)

// MaxPacket bounds a message, in bytes of JSON.
const MaxPacket = 64 << 10

// Conn is one end of the socketpair. Send may be called from several
// goroutines, Receive from one at a time.
type Conn struct {
	socket *net.UnixConn
	peer   func(kind string) Message
}

// Pair returns ldm's end and, as a file to hand to the worker, the worker's.
func Pair() (*Conn, *os.File, error) { return socketPair("worker", fromWorker) }

// socketPair returns ldm's end, with the messages that its peer may send, and the peer's.
func socketPair(name string, peer func(kind string) Message) (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours := os.NewFile(uintptr(fds[0]), name)
	theirs := os.NewFile(uintptr(fds[1]), "ldm")
	conn, err := newConn(ours, peer)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// Worker makes the worker's end of the file that it inherited, and closes the file.
func Worker(file *os.File) (*Conn, error) { return newConn(file, fromDaemon) }

func newConn(file *os.File, peer func(string) Message) (*Conn, error) {
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("%s's socket: %w", file.Name(), err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%s's socket: not a Unix socket", file.Name())
	}
	return &Conn{socket: socket, peer: peer}, nil
}

// sendLimit is how long the other side may leave the socket full.
const sendLimit = 2 * time.Second

// Send sends one message. It fails when the other side takes nothing. Files that
// travel with the message stay open here.
func (c *Conn) Send(m Message) error {
	packet, err := tagged.Encode(m.messageType(), m)
	if err != nil {
		return err
	}
	if len(packet) > MaxPacket {
		return fmt.Errorf("%s of %d bytes: the limit is %d", m.messageType(), len(packet), MaxPacket)
	}
	control, err := rights(m)
	if err != nil {
		return err
	}
	if err := c.socket.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return err
	}
	_, _, err = c.socket.WriteMsgUnix(packet, control, nil)
	return err
}

// Receive waits for one message: one that the other side may send, else the
// error is a *tagged.BadMessage. At the end it is io.EOF. Files that came with
// the message are the caller's; see CloseFiles.
func (c *Conn) Receive() (Message, error) {
	packet, control := make([]byte, MaxPacket+1), make([]byte, controlSize)
	n, controls, flags, _, err := c.socket.ReadMsgUnix(packet, control)
	files, broken := received(control[:controls])
	var m Message
	switch {
	case errors.Is(err, io.EOF): // an empty packet too, with whatever is beside it
		err = io.EOF
	case err == nil && broken != nil:
		err = broken
	case err == nil:
		m, err = c.decode(packet[:n], flags, files)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return m, nil
}

func (c *Conn) decode(packet []byte, flags int, files []*os.File) (Message, error) {
	switch {
	case len(packet) > MaxPacket || flags&unix.MSG_TRUNC != 0:
		return nil, &tagged.BadMessage{Reason: fmt.Sprintf("packet over %d bytes", MaxPacket)}
	case flags&unix.MSG_CTRUNC != 0:
		return nil, &tagged.BadMessage{Reason: fmt.Sprintf("more than %d files", MaxFiles)}
	}
	m, err := tagged.Decode(packet, c.peer)
	if err != nil {
		return nil, err
	}
	return m, attach(m, files)
}

// Close closes this end.
func (c *Conn) Close() error { return c.socket.Close() }
