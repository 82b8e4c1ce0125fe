package xconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"goldm/internal/text"
	"goldm/internal/x11"
	"goldm/internal/x11/display"
)

// ErrLost is what is left to say once the connection has ended.
var ErrLost = errors.New("connection to the X display lost")

// What the library writes to standard error says nothing that its errors do not.
func init() { xgb.Logger.SetOutput(io.Discard) }

// Conn is a connection to an X server. Besides the owner of Events it may be used
// from several goroutines.
type Conn struct {
	*xgb.Conn
	Root   xproto.Window // of the display's screen
	Screen int

	socket net.Conn
}

// Open connects to a display. The caller calls Events, else replies get stuck
// behind events, and Close.
func Open(ctx context.Context, d *display.Display) (*Conn, error) {
	socket, err := d.Dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	conn, err := open(socket, d)
	if !stop() && err == nil {
		conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("display %s: %w", d, err)
	}
	return conn, nil
}

func open(socket net.Conn, d *display.Display) (*Conn, error) {
	answer, err := setUp(socket, d)
	if err != nil {
		return nil, err
	}
	conn, err := xgb.NewConnNet(&introduced{Conn: socket, answer: answer})
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: conn, Screen: d.Screen, socket: socket}
	screens := xproto.Setup(conn).Roots
	if d.Screen >= len(screens) {
		c.Close()
		return nil, fmt.Errorf("there is no screen %d", d.Screen)
	}
	c.Root = screens[d.Screen].Root
	return c, nil
}

// setUp does the connection setup (section 8), since the library takes its cookie from
// XAUTHORITY only, and trips over long refusals.
func setUp(socket net.Conn, d *display.Display) ([]byte, error) {
	request := x11.SetupRequest{
		Order: x11.LittleEndian,
		Major: x11.ProtocolMajor, Minor: x11.ProtocolMinor,
		AuthName: d.AuthName, AuthData: d.AuthData,
	}
	if _, err := socket.Write(request.Append(nil)); err != nil {
		return nil, fmt.Errorf("X11 setup: %w", err)
	}
	head := make([]byte, x11.SetupAnswerHead)
	if _, err := io.ReadFull(socket, head); err != nil {
		return nil, fmt.Errorf("X11 setup: %w", err)
	}
	answer := make([]byte, x11.SetupAnswerSize(request.Order, head)) // 256 KiB at most
	copy(answer, head)
	if _, err := io.ReadFull(socket, answer[len(head):]); err != nil {
		return nil, fmt.Errorf("X11 setup: %w", err)
	}
	if answer[0] != x11.SetupAccepted {
		return nil, fmt.Errorf("the display refused us: %s", text.Line(x11.RefusalReason(answer), 255))
	}
	return answer, nil
}

// introduced is a connection past its setup: what is written first, which is the
// library's own request for it, goes nowhere, and what is read first is the answer.
type introduced struct {
	net.Conn
	answer  []byte
	ignored sync.Once
}

func (c *introduced) Write(p []byte) (int, error) {
	first := false
	c.ignored.Do(func() { first = true })
	if first {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *introduced) Read(p []byte) (int, error) {
	if len(c.answer) > 0 {
		n := copy(p, c.answer)
		c.answer = c.answer[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Events calls handle with each event, until the connection ends. An error that no
// request waits for is no event. handle must not wait for a reply.
func (c *Conn) Events(handle func(xgb.Event)) {
	for {
		event, err := c.WaitForEvent()
		if event == nil && err == nil {
			return
		}
		if event != nil {
			handle(event)
		}
	}
}

// Close ends the connection, and with it Events.
func (c *Conn) Close() { c.socket.Close() }

// Atoms returns the atoms of names, in their order.
func (c *Conn) Atoms(names ...string) ([]xproto.Atom, error) {
	cookies := make([]xproto.InternAtomCookie, len(names))
	for i, name := range names {
		cookies[i] = xproto.InternAtom(c.Conn, false, uint16(len(name)), name)
	}
	atoms := make([]xproto.Atom, len(names))
	for i, cookie := range cookies {
		reply, err := cookie.Reply()
		if err != nil {
			return nil, fmt.Errorf("atom %s: %w", names[i], Lost(err))
		}
		atoms[i] = reply.Atom
	}
	return atoms, nil
}

// Lost gives the end of a connection its name.
func Lost(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrLost
	}
	return err
}
