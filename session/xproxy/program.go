package xproxy

import (
	"bytes"
	"io"
	"net"
	"sync"

	"goldm/internal/x11"
	"goldm/session/xproxy/mux"
)

const (
	// bufferSize is that of each direction's buffer, in bytes.
	bufferSize = 32 << 10

	// maxBacklog is how much may wait for a program to read it before the server is
	// left to answer: it has the patience.
	maxBacklog = 64 << 10
)

// program is the connection of one program past its setup.
type program struct {
	order x11.Order

	mu     sync.Mutex
	change sync.Cond
	ledger ledger
	out    []byte // for the program
	late   []byte // replies of ours that wait for the end of a message
	unread int64  // bytes of our replies that wait, for constants.unread
	within bool   // the last of out is not the end of a message
	ended  bool   // nothing comes to out any more
	gone   bool   // the program reads no more
}

func newProgram(order x11.Order, c *constants) *program {
	p := &program{order: order, ledger: newLedger(order, c)}
	p.change.L = &p.mu
	return p
}

// carry carries both directions until both have ended. The error says that the server said
// something that it cannot have meant.
func (p *program) carry(conn net.Conn, stream *mux.Stream) error {
	var tasks sync.WaitGroup
	tasks.Go(func() {
		p.carryRequests(conn, stream)
		stream.CloseWrite()
	})
	tasks.Go(func() { p.write(conn) })
	err := p.carryAnswers(stream)
	if err != nil {
		stream.Close()
	}
	p.mu.Lock()
	p.ended = true
	p.change.Broadcast()
	p.mu.Unlock()
	tasks.Wait()
	p.ledger.left()
	p.ledger.constants.unread.give(p.unread)
	return err
}

// write writes what there is for the program, and then ends its connection.
func (p *program) write(conn net.Conn) {
	defer conn.Close() // a program whose server has gone has nothing more to say
	var out []byte
	for {
		p.mu.Lock()
		for len(p.out) == 0 && !p.ended {
			p.change.Wait()
		}
		if len(p.out) == 0 {
			p.mu.Unlock()
			return
		}
		out, p.out = p.out, out[:0]
		ours := p.unread
		p.unread = 0
		p.change.Broadcast()
		p.mu.Unlock()
		_, err := conn.Write(out)
		p.ledger.constants.unread.give(ours)
		if err != nil {
			break
		}
		if cap(out) > 2*bufferSize {
			out = nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone, p.out = true, nil
	p.change.Broadcast()
}

// carryRequests carries the program's requests until either side closes.
func (p *program) carryRequests(conn io.Reader, stream *mux.Stream) {
	r := requests{program: p}
	buf := make([]byte, bufferSize)
	out := make([]byte, 0, bufferSize)
	have := 0
	for {
		n, readErr := conn.Read(buf[have:])
		have += n
		var done int
		out, done = r.edit(out[:0], buf[:have])
		write := stream.WriteLater
		if r.pressing {
			write = stream.Write
		}
		if _, err := write(out); err != nil {
			return
		}
		have = copy(buf, buf[done:have])
		if readErr != nil {
			r.program.leave()
			stream.Write(buf[:have]) // what is not whole
			return
		}
	}
}

// requests follows a program's requests.
type requests struct {
	program  *program
	big      bool    // BIG-REQUESTS is enabled
	body     int64   // bytes still to come of the current request
	verdict  verdict // on that
	blind    bool    // it is not certain any more where requests begin
	pressing bool    // the last edit has something that the server has to see soon
}

// edit appends to out what is to go to the server for data, which goes on where
// the last edit was done. Of what comes after done it needs to see more.
func (r *requests) edit(out, data []byte) (edited []byte, done int) {
	r.pressing = false
	for {
		n := int(min(r.body, int64(len(data)-done)))
		if r.blind {
			n, r.verdict = len(data)-done, pass
		}
		r.pressing = r.pressing || n > 0 && r.verdict == pass
		out = append(out, data[done:done+n]...)
		r.body -= min(r.body, int64(n))
		done += n
		request, ok := x11.ParseRequest(r.program.order, data[done:], r.big)
		if !ok {
			return out, done
		}
		if request.Size < int64(request.Head) {
			r.program.lose()
			r.blind = true // and the near half's forwarder ends it
			continue
		}
		rest := data[done:]
		var whole []byte
		if r.program.wants(request) {
			if int64(len(rest)) < request.Size {
				return out, done
			}
			whole = rest[:request.Size]
		}
		if r.enables(request) {
			r.big = true
		}
		body := rest[request.Head:min(int64(len(rest)), request.Size)]
		if len(body) < headOfChange && int64(len(body)) < request.Size-int64(request.Head) {
			return out, done
		}
		r.verdict = r.program.request(request, whole, body[:min(len(body), headOfChange)])
		if r.verdict == drop {
			out = x11.AppendRequest(out, r.program.order, x11.NoOperation, 0)
			done += len(whole)
			continue
		}
		r.pressing = r.pressing || r.verdict == pass
		out = append(out, rest[:request.Head]...)
		done += request.Head
		r.body = request.Size - int64(request.Head)
	}
}

// enables reports whether a request of BIG-REQUESTS enables it: bad in any other form,
// in which case the server does not.
func (r *requests) enables(request x11.Request) bool {
	return request.Major != 0 && request.Major == r.program.ledger.constants.server.bigReq && request.Minor == x11.BigReqEnable && request.Size == 4
}

// wants reports whether the whole of a request has to be seen.
func (p *program) wants(r x11.Request) bool {
	return (p.ledger.constants.server.class(r) >= silent || r.Major == createWindow) && r.Head == 4 && r.Size <= maxKey
}

// request notes a request, and answers it if that can be.
func (p *program) request(r x11.Request, whole, body []byte) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	unread := &p.ledger.constants.unread
	if whole != nil && (len(p.out)+len(p.late) > maxBacklog || unread.full()) {
		whole = nil
	}
	v, reply := p.ledger.request(r, whole, body)
	if !p.gone {
		unread.held.Add(int64(len(reply)))
		p.unread += int64(len(reply))
	}
	switch {
	case reply == nil || p.gone:
	case p.within:
		p.late = append(p.late, reply...)
	default:
		p.out = append(p.out, reply...)
		p.change.Broadcast()
	}
	return v
}

// leave notes that the program says no more.
func (p *program) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.leave()
}

// lose ends answering.
func (p *program) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.lost = true
}

// carryAnswers carries what the server says until either side closes.
func (p *program) carryAnswers(stream io.Reader) error {
	a := newAnswers(p)
	defer a.forget()
	buf := make([]byte, bufferSize)
	have := 0
	for {
		n, readErr := stream.Read(buf[have:])
		have += n
		done, err := a.take(buf[:have])
		if err != nil {
			return err
		}
		have = copy(buf, buf[done:have])
		if readErr != nil || !p.await() {
			return nil
		}
	}
}

// await waits until the program has read enough; false where it reads no more.
func (p *program) await() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.out) > maxBacklog && !p.gone {
		p.change.Wait()
	}
	return !p.gone
}

// answers follows what the server says to a program.
type answers struct {
	program *program
	setup   bool         // the setup's answer has begun
	body    int64        // bytes still to come of the current message
	keep    *expected    // what the current reply is to be kept for
	kept    bytes.Buffer // what has come of it
	coming  int64        // how long it is, for constants.coming
}

func newAnswers(p *program) *answers { return &answers{program: p} }

// take takes data, which goes on where the last call was done, to the program. Of
// what comes after done it needs to see more.
func (a *answers) take(data []byte) (done int, err error) {
	p := a.program
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		defer p.change.Broadcast()
	}
	for {
		n := int(min(a.body, int64(len(data)-done)))
		a.pass(data[done : done+n])
		a.body -= int64(n)
		done += n
		if a.body > 0 {
			p.within = true
			return done, nil
		}
		a.finish()
		head, err := a.begin(data[done:])
		if head == 0 || err != nil {
			return done, err
		}
		done += head
	}
}

// pass gives bytes to the program.
func (a *answers) pass(b []byte) {
	if a.keep != nil {
		a.kept.Write(b)
	}
	if !a.program.gone {
		a.program.out = append(a.program.out, b...)
	}
}

// finish ends the current message, if there is one.
func (a *answers) finish() {
	p := a.program
	if a.keep != nil {
		p.ledger.keep(a.keep, bytes.Clone(a.kept.Bytes()))
		a.forget()
	}
	p.within = false
	p.out = append(p.out, p.late...)
	p.late = nil
}

// hold prepares for the reply that begins to be kept, if there is room.
func (a *answers) hold(keep *expected, size int64) {
	if keep != nil && a.program.ledger.constants.coming.take(size) {
		a.keep, a.coming = keep, size
	}
}

// forget ends that.
func (a *answers) forget() {
	a.program.ledger.constants.coming.give(a.coming)
	a.keep, a.kept, a.coming = nil, bytes.Buffer{}, 0
}

// begin begins the message that data begins with, and returns how much of it is done; 0
// while it needs to see more.
func (a *answers) begin(data []byte) (head int, err error) {
	p := a.program
	if !a.setup {
		return a.beginSetup(data), nil
	}
	if len(data) < x11.AnswerHead {
		return 0, nil
	}
	dropped, keep, err := p.ledger.message(data[:x11.AnswerHead])
	if err != nil {
		return 0, err
	}
	if dropped {
		return x11.AnswerHead, nil
	}
	a.body = x11.AnswerSize(p.order, data) - x11.AnswerHead
	a.hold(keep, a.body+x11.AnswerHead)
	a.pass(data[:x11.AnswerHead])
	return x11.AnswerHead, nil
}

// beginSetup begins the setup's answer. Of one that accepts it needs to see which numbers the program
// gets (appendix B, Connection Setup).
func (a *answers) beginSetup(data []byte) (head int) {
	const idsEnd = 20
	p := a.program
	if len(data) < x11.SetupAnswerHead {
		return 0
	}
	size := x11.SetupAnswerSize(p.order, data)
	accepted := data[0] == x11.SetupAccepted
	if accepted && len(data) < min(size, idsEnd) {
		return 0
	}
	if accepted && size >= idsEnd {
		p.ledger.own.ids = ids{base: p.order.Uint32(data[12:]), mask: p.order.Uint32(data[16:])}
	}
	a.setup = true
	p.ledger.accepted = accepted
	a.body = int64(size - x11.SetupAnswerHead)
	a.pass(data[:x11.SetupAnswerHead])
	return x11.SetupAnswerHead
}
