// Package xclient is an X client that the benchmark measures with: as much of
// the core protocol and of XTEST as it takes to draw, to be typed at, and to
// manage windows. It speaks little-endian.
package xclient

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"goldm/internal/x11"
	sessionx11 "goldm/session/x11"
)

var le = binary.LittleEndian

// Conn is a connection to an X server. It is for one goroutine at a time.
type Conn struct {
	Root          uint32
	Width, Height int // of the screen, in pixels
	Depth         byte

	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	nextID uint32
	events [][]byte // that came while a reply was awaited
}

// Dial connects to the display that a name and an Xauthority file tell of, as a
// program would by $DISPLAY and $XAUTHORITY.
func Dial(ctx context.Context, name, authority string) (*Conn, error) {
	display, err := sessionx11.ParseDisplay(name)
	if err != nil {
		return nil, err
	}
	if authority != "" {
		if err := display.Authorize(ctx, authority); err != nil {
			return nil, err
		}
	}
	conn, err := display.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return New(conn, display.AuthName, display.AuthData)
}

// New begins a client's conversation over a connection.
func New(conn net.Conn, authName string, authData []byte) (*Conn, error) {
	c := &Conn{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 256<<10)}
	if err := c.setUp(authName, authData); err != nil {
		conn.Close()
		return nil, fmt.Errorf("X11 setup: %w", err)
	}
	return c, nil
}

func (c *Conn) setUp(authName string, authData []byte) error {
	request := x11.SetupRequest{Order: x11.LittleEndian, Major: x11.ProtocolMajor, AuthName: authName, AuthData: authData}
	if _, err := c.conn.Write(request.Append(nil)); err != nil {
		return err
	}
	head := make([]byte, x11.SetupAnswerHead)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return err
	}
	answer := append(head, make([]byte, x11.SetupAnswerSize(x11.LittleEndian, head)-len(head))...)
	if _, err := io.ReadFull(c.in, answer[len(head):]); err != nil {
		return err
	}
	if head[0] != x11.SetupAccepted {
		return errors.New(x11.RefusalReason(answer))
	}
	return c.readSetup(answer)
}

// readSetup reads what matters here of the server's answer (appendix B,
// Connection Setup): the range of ids and the first screen.
func (c *Conn) readSetup(answer []byte) error {
	const fixed, screenSize = 40, 40
	if len(answer) < fixed {
		return io.ErrUnexpectedEOF
	}
	c.nextID = le.Uint32(answer[12:])
	at := fixed + x11.Pad(int(le.Uint16(answer[24:]))) + 8*int(answer[29])
	if len(answer) < at+screenSize {
		return io.ErrUnexpectedEOF
	}
	screen := answer[at:]
	c.Root, c.Depth = le.Uint32(screen), screen[38]
	c.Width, c.Height = int(le.Uint16(screen[20:])), int(le.Uint16(screen[22:]))
	return nil
}

// NewID returns an id for a window and its like.
func (c *Conn) NewID() uint32 {
	c.nextID++
	return c.nextID
}

// Send puts a request into the buffer: its opcode, the byte beside it, and what
// follows the length, of a multiple of four bytes.
func (c *Conn) Send(major, data byte, parts ...[]byte) error {
	size := 4
	for _, p := range parts {
		size += len(p)
	}
	if size > x11.MaxRequest || size%4 != 0 {
		return fmt.Errorf("request %d of %d bytes", major, size)
	}
	head := []byte{major, data, 0, 0}
	le.PutUint16(head[2:], uint16(size/4))
	c.out.Write(head)
	for _, p := range parts {
		c.out.Write(p)
	}
	return nil // the buffer keeps an error until Flush
}

// Flush sends what is in the buffer.
func (c *Conn) Flush() error { return c.out.Flush() }

// Words encodes numbers of four bytes each.
func Words(words ...uint32) []byte {
	b := make([]byte, 0, 4*len(words))
	for _, w := range words {
		b = le.AppendUint32(b, w)
	}
	return b
}

// Event returns the next event.
func (c *Conn) Event() ([]byte, error) {
	if len(c.events) > 0 {
		e := c.events[0]
		c.events = c.events[1:]
		return e, nil
	}
	for {
		m, err := c.read()
		if err != nil || x11.Kind(m) != x11.Reply {
			return m, err
		}
	}
}

// Reply returns the next reply.
func (c *Conn) Reply() ([]byte, error) {
	if err := c.Flush(); err != nil {
		return nil, err
	}
	for {
		m, err := c.read()
		if err != nil || x11.Kind(m) == x11.Reply {
			return m, err
		}
		c.events = append(c.events, m)
	}
}

// read reads a message; an error of the server's ends the conversation.
func (c *Conn) read() ([]byte, error) {
	m := make([]byte, x11.AnswerHead)
	if _, err := io.ReadFull(c.in, m); err != nil {
		return nil, err
	}
	if x11.Kind(m) == x11.Error {
		return nil, &Error{Code: x11.ErrorCode(m), Major: m[10]}
	}
	rest := x11.AnswerSize(x11.LittleEndian, m) - x11.AnswerHead
	if rest > 1<<24 {
		return nil, fmt.Errorf("a message of %d bytes", rest)
	}
	m = append(m, make([]byte, rest)...)
	_, err := io.ReadFull(c.in, m[x11.AnswerHead:])
	return m, err
}

// Error is an error that the X server answered with.
type Error struct{ Code, Major byte }

func (e *Error) Error() string {
	return fmt.Sprintf("X error %d for request %d", e.Code, e.Major)
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }
