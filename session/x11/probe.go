package x11

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"

	"goldm/internal/x11"
)

// probe asks the X server for the opcodes of the allowed extensions, over a
// connection of our own. They hold while that server lives. The connection
// stays open: it tells when the server is another one, and keeps a server that
// resets itself when its last client leaves (Xserver(1), -noreset) from doing
// so between two clients of the session.
type probe struct {
	display *Display
	list    list
	lock    chan struct{} // a mutex that can be waited for with a context

	conn   net.Conn
	ended  chan struct{} // closed when conn has ended
	cached *policy       // of the server at the other end of conn
}

func newProbe(d *Display, l list) *probe {
	return &probe{display: d, list: l, lock: make(chan struct{}, 1)}
}

// policy returns the policy of the display's server.
func (p *probe) policy(ctx context.Context) (*policy, error) {
	select {
	case p.lock <- struct{}{}:
		defer func() { <-p.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.conn != nil {
		select {
		case <-p.ended:
			p.close()
		default:
			return p.cached, nil
		}
	}
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	return p.cached, nil
}

func (p *probe) connect(ctx context.Context) error {
	conn, err := p.display.Dial(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	policy, err := askPolicy(conn, p.display, p.list)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return fmt.Errorf("display %s: %w", p.display, err)
	}
	p.conn, p.cached, p.ended = conn, policy, make(chan struct{})
	go func(ended chan struct{}) { // ends when conn does; close waits for it
		defer close(ended)
		io.Copy(io.Discard, conn) // events that every client gets, such as MappingNotify
	}(p.ended)
	return nil
}

// close ends the connection. It is not for use beside policy.
func (p *probe) close() {
	if p.conn != nil {
		p.conn.Close()
		<-p.ended
		p.conn = nil
	}
}

// asker speaks to the X server for probe.
type asker struct {
	conn io.Writer
	in   *bufio.Reader
}

// probeOrder is the byte order of the probe's own connection.
const probeOrder = x11.LittleEndian

func askPolicy(conn io.ReadWriter, d *Display, l list) (*policy, error) {
	a := asker{conn: conn, in: bufio.NewReader(conn)}
	if err := a.setup(d); err != nil {
		return nil, err
	}
	majors, err := a.majors(l)
	if err != nil {
		return nil, err
	}
	maxRequest := int64(x11.MaxRequest)
	if major, ok := majors["BIG-REQUESTS"]; ok {
		if maxRequest, err = a.maxRequest(major); err != nil {
			return nil, err
		}
	}
	return newPolicy(l, majors, maxRequest), nil
}

func (a asker) setup(d *Display) error {
	request := x11.SetupRequest{
		Order:    probeOrder,
		Major:    x11.ProtocolMajor,
		Minor:    x11.ProtocolMinor,
		AuthName: d.AuthName,
		AuthData: d.AuthData,
	}
	if _, err := a.conn.Write(request.Append(nil)); err != nil {
		return err
	}
	answer := make([]byte, x11.SetupAnswerHead)
	if _, err := io.ReadFull(a.in, answer); err != nil {
		return err
	}
	body := make([]byte, x11.SetupAnswerSize(probeOrder, answer)-x11.SetupAnswerHead)
	if _, err := io.ReadFull(a.in, body); err != nil {
		return err
	}
	if answer[0] != x11.SetupAccepted {
		return fmt.Errorf("connection refused: %.100q", x11.RefusalReason(append(answer, body...)))
	}
	return nil
}

// majors asks for the major opcodes of those extensions of a list that there are.
func (a asker) majors(l list) (map[string]byte, error) {
	names := slices.Sorted(maps.Keys(l))
	var requests []byte
	for _, name := range names {
		requests = x11.AppendQueryExtension(requests, probeOrder, name)
	}
	if _, err := a.conn.Write(requests); err != nil {
		return nil, err
	}
	majors := make(map[string]byte)
	for _, name := range names {
		reply, err := a.reply()
		if err != nil {
			return nil, fmt.Errorf("QueryExtension %s: %w", name, err)
		}
		if e := x11.ParseExtensionReply(reply); e.Present {
			majors[name] = e.Major
		}
	}
	return majors, nil
}

// maxRequest enables BIG-REQUESTS and returns the size in bytes of the longest
// request that the server then takes.
func (a asker) maxRequest(major byte) (int64, error) {
	if _, err := a.conn.Write(x11.AppendRequest(nil, probeOrder, major, x11.BigReqEnable)); err != nil {
		return 0, err
	}
	reply, err := a.reply()
	if err != nil {
		return 0, fmt.Errorf("BigReqEnable: %w", err)
	}
	return x11.MaxBigRequest(probeOrder, reply), nil
}

// reply returns the head of the next reply, past any events.
func (a asker) reply() ([]byte, error) {
	for {
		head := make([]byte, x11.AnswerHead)
		if _, err := io.ReadFull(a.in, head); err != nil {
			return nil, err
		}
		rest := x11.AnswerSize(probeOrder, head) - x11.AnswerHead
		if _, err := io.CopyN(io.Discard, a.in, rest); err != nil {
			return nil, err
		}
		switch x11.Kind(head) {
		case x11.Reply:
			return head, nil
		case x11.Error:
			return nil, errors.New("refused by the X server")
		}
	}
}
