package xproxy

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// patience ends tests that would hang.
const patience = time.Minute

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// startPair shows a server's display at the socket that it returns.
func startPair(t testing.TB, server *xtest.Server, plain bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "display")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	joinPair(t, listener, server, Offer{Cookie: server.Cookie, Plain: plain}, dialTo(server.Path()))
	return path
}

// joinPair shows a server's display at a listener.
func joinPair(t testing.TB, listener net.Listener, server *xtest.Server, offer Offer, serve func(context.Context, io.ReadWriteCloser)) {
	t.Helper()
	farSide, nearSide := socketPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	var halves sync.WaitGroup
	halves.Go(func() {
		if err := Far(ctx, farSide, FarConfig{Listener: listener, Offer: offer, Log: testLog(t)}); err != nil {
			t.Errorf("far half: %v", err)
		}
	})
	halves.Go(func() {
		config := NearConfig{
			Serve:    serve,
			Dial:     func(context.Context) (io.ReadWriteCloser, error) { return net.Dial("unix", server.Path()) },
			AuthName: cookieName, AuthData: server.Cookie, Log: testLog(t),
		}
		if offer.Plain {
			config.Dial = nil
		}
		if err := Near(ctx, nearSide, config); err != nil {
			t.Errorf("near half: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		halves.Wait()
	})
}

func socketPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// dialTo serves programs by connecting them to an X server's socket.
func dialTo(path string) func(context.Context, io.ReadWriteCloser) {
	return func(ctx context.Context, stream io.ReadWriteCloser) {
		defer stream.Close()
		conn, err := net.Dial("unix", path)
		if err != nil {
			return
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		var sending sync.WaitGroup
		sending.Go(func() {
			io.Copy(conn, struct{ io.Reader }{stream})
			conn.(*net.UnixConn).CloseWrite()
		})
		io.Copy(struct{ io.Writer }{stream}, conn)
		stream.Close()
		sending.Wait()
	}
}

// xclient is an X client that sees each byte.
type xclient struct {
	t     testing.TB
	order x11.Order
	conn  net.Conn
	setup []byte
	asked int // requests, where ask counts them
}

func dial(t testing.TB, path string, cookie []byte, o x11.Order) *xclient {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	c := &xclient{t: t, order: o, conn: conn}
	setup := x11.SetupRequest{Order: o, Major: 11, AuthName: cookieName, AuthData: cookie}
	c.send(setup.Append(nil))
	c.setup = make([]byte, x11.SetupAnswerHead)
	c.read(c.setup)
	c.setup = append(c.setup, make([]byte, x11.SetupAnswerSize(o, c.setup)-len(c.setup))...)
	c.read(c.setup[x11.SetupAnswerHead:])
	return c
}

func (c *xclient) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Error(err)
	}
}

func (c *xclient) read(b []byte) bool {
	c.t.Helper()
	if _, err := io.ReadFull(c.conn, b); err != nil {
		c.t.Error(err)
		return false
	}
	return true
}

// next returns the next message; nil where there is none.
func (c *xclient) next() []byte {
	c.t.Helper()
	b := make([]byte, x11.AnswerHead)
	if !c.read(b) {
		return nil
	}
	b = append(b, make([]byte, x11.AnswerSize(c.order, b)-x11.AnswerHead)...)
	if !c.read(b[x11.AnswerHead:]) {
		return nil
	}
	return b
}

// until returns messages up to the reply or error for a request.
func (c *xclient) until(sequence int) [][]byte {
	var all [][]byte
	for {
		m := c.next()
		if m == nil {
			return all
		}
		all = append(all, m)
		if kind := x11.Kind(m); kind <= x11.Reply && x11.Sequence(c.order, m) == uint16(sequence) {
			return all
		}
	}
}

func (c *xclient) base() uint32 { return c.order.Uint32(c.setup[12:]) }

func (c *xclient) screen() []byte {
	return c.setup[40+x11.Pad(int(c.order.Uint16(c.setup[24:])))+8*int(c.setup[29]):]
}

func (c *xclient) root() uint32     { return c.order.Uint32(c.screen()) }
func (c *xclient) colormap() uint32 { return c.order.Uint32(c.screen()[4:]) }

// request encodes a request: bytes as they are, numbers by their size.
func (c *xclient) request(major, minor byte, fields ...any) []byte {
	body := c.encode(fields...)
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := c.order.AppendUint16([]byte{major, minor}, uint16(1+len(body)/4))
	return append(b, body...)
}

// bigRequest encodes a request with an extended length.
func (c *xclient) bigRequest(major, minor byte, fields ...any) []byte {
	body := c.encode(fields...)
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := c.order.AppendUint32([]byte{major, minor, 0, 0}, uint32(2+len(body)/4))
	return append(b, body...)
}

func (c *xclient) encode(fields ...any) (b []byte) {
	var byteOrder binary.AppendByteOrder = binary.LittleEndian
	if c.order == x11.BigEndian {
		byteOrder = binary.BigEndian
	}
	for _, f := range fields {
		switch f := f.(type) {
		case byte:
			b = append(b, f)
		case int:
			b = byteOrder.AppendUint16(b, uint16(f))
		case uint32:
			b = byteOrder.AppendUint32(b, f)
		case string:
			b = append(b, f...)
		case []byte:
			b = append(b, f...)
		default:
			panic(fmt.Sprintf("%T", f))
		}
	}
	return b
}

func TestWrongCookie(t *testing.T) {
	server := xtest.Start(t)
	path := startPair(t, server, false)
	for _, o := range []x11.Order{x11.LittleEndian, x11.BigEndian} {
		c := dial(t, path, make([]byte, 16), o)
		if reason := x11.RefusalReason(c.setup); c.setup[0] != x11.SetupRefused || reason != "goldm: the cookie is not this session's\n" {
			t.Errorf("answer %d: %q", c.setup[0], reason)
		}
	}
}
