package x11

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

// patience ends tests that would hang.
const patience = 30 * time.Second

// forwarded is a display that a forwarder shows to programs, as sshd does.
type forwarded struct {
	forwarder *Forwarder
	display   *Display // what programs connect to
	authority string   // their Xauthority file, which holds the fake cookie
}

// forward makes a forwarder to display and listens for programs as sshd does,
// on the loopback.
func forward(t testing.TB, display *Display) *forwarded {
	t.Helper()
	f, err := NewForwarder(Config{Display: display, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { f.Serve(context.Background(), conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		f.Close()
		serving.Wait()
	})

	protocol, cookie, _ := f.Request()
	data, err := hex.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	shown := &forwarded{
		forwarder: f,
		authority: filepath.Join(t.TempDir(), "Xauthority"),
		display: &Display{
			Host:     "127.0.0.1",
			Number:   listener.Addr().(*net.TCPAddr).Port - 6000,
			AuthName: protocol,
			AuthData: data,
		},
	}
	xtest.WriteAuthority(t, shown.authority, xauth.Entry{Family: xauth.Wild, Name: protocol, Data: data})
	return shown
}

// displayOf returns the display of a server, ready to be forwarded to.
func displayOf(s *xtest.Server) *Display {
	return &Display{Number: s.Number, AuthName: xauth.MITMagicCookie, AuthData: s.Cookie}
}

// name returns the display's name for $DISPLAY.
func (s *forwarded) name() string {
	return s.display.Host + ":" + strconv.Itoa(s.display.Number)
}

// rawClient is an X client that says what it likes.
type rawClient struct {
	t     testing.TB
	conn  net.Conn
	order x11.Order
	setup []byte // the server's answer to the setup
}

// connect connects to a display and sends the setup; it fails the test unless
// the server's first byte is status.
func connect(t testing.TB, d *Display, order x11.Order, status byte) *rawClient {
	t.Helper()
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	c := &rawClient{t: t, conn: conn, order: order}
	setup := x11.SetupRequest{Order: order, Major: x11.ProtocolMajor, AuthName: d.AuthName, AuthData: d.AuthData}
	c.send(setup.Append(nil))
	c.setup = c.read(x11.SetupAnswerHead)
	c.setup = append(c.setup, c.read(x11.SetupAnswerSize(order, c.setup)-x11.SetupAnswerHead)...)
	if c.setup[0] != status {
		t.Fatalf("setup answered by %d %q, expected %d", c.setup[0], x11.RefusalReason(c.setup), status)
	}
	return c
}

func (c *rawClient) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *rawClient) read(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.conn, b); err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return b
}

// next returns the next error or reply, past any events.
func (c *rawClient) next() []byte {
	c.t.Helper()
	for {
		m := c.read(x11.AnswerHead)
		m = append(m, c.read(int(x11.AnswerSize(c.order, m)-x11.AnswerHead))...)
		if k := x11.Kind(m); k == x11.Error || k == x11.Reply {
			return m
		}
	}
}

// reply is next for a test that goes wrong unless that is a reply.
func (c *rawClient) reply() []byte {
	c.t.Helper()
	m := c.next()
	if x11.Kind(m) != x11.Reply {
		major, minor := x11.ErrorOpcodes(c.order, m)
		c.t.Fatalf("error %d about request %d.%d, expected a reply", x11.ErrorCode(m), major, minor)
	}
	return m
}

// query asks for an extension.
func (c *rawClient) query(name string) x11.ExtensionReply {
	c.t.Helper()
	c.send(x11.AppendQueryExtension(nil, c.order, name))
	return x11.ParseExtensionReply(c.reply())
}

// ended fails the test unless the connection is closed.
func (c *rawClient) ended() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		c.t.Fatal("the connection goes on")
	}
}

// request encodes a request of an opcode pair and a body, padded.
func request(o x11.Order, major, minor byte, body ...byte) []byte {
	size := 4 + x11.Pad(len(body))
	b := o.AppendUint16([]byte{major, minor}, uint16(size/4))
	b = append(b, body...)
	return append(b, make([]byte, size-len(b))...)
}

// bigRequest is request with an extended length.
func bigRequest(o x11.Order, major, minor byte, body ...byte) []byte {
	size := 8 + x11.Pad(len(body))
	b := o.AppendUint32([]byte{major, minor, 0, 0}, uint32(size/4))
	b = append(b, body...)
	return append(b, make([]byte, size-len(b))...)
}

// orders runs a test in both byte orders.
func orders(t *testing.T, test func(*testing.T, x11.Order)) {
	t.Run("little-endian", func(t *testing.T) { test(t, x11.LittleEndian) })
	t.Run("big-endian", func(t *testing.T) { test(t, x11.BigEndian) })
}
