package localapps

import (
	"context"
	"fmt"
	"sync"

	"github.com/jezek/xgb/xproto"

	"goldm/internal/text"
	"goldm/internal/x11/xconn"
)

// Serve gives requests to a Runner until ctx ends, then it returns nil, or the display
// is lost. It is called once.
func (m *Mailbox) Serve(ctx context.Context, runner Runner) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var starting sync.WaitGroup
	starting.Go(func() { m.startAll(ctx, runner) })
	err := m.fetchAll(ctx)
	cancel()
	starting.Wait()
	return err
}

// fetchAll takes what arrives out of the X server at once, since the server copies the
// whole property for everything that is appended.
func (m *Mailbox) fetchAll(ctx context.Context) error {
	m.fetchSoon() // what came before we listened
	for {
		select {
		case <-m.wake:
		case <-m.lost:
			return xconn.ErrLost
		case <-ctx.Done():
			return nil
		}
		if err := m.fetchRequests(); err != nil {
			return fmt.Errorf("fetch requests: %w", err)
		}
		if !m.legacy {
			continue
		}
		if err := m.fetchCommand(); err != nil {
			return fmt.Errorf("fetch %s: %w", commandName, err)
		}
	}
}

// fetchRequests takes what stands in the mailbox.
func (m *Mailbox) fetchRequests() error {
	var s splitter
	refused := 0
	found, err := take(m.conn, m.window, m.request, s.reset, func(piece []byte) {
		s.feed(piece, func(object []byte) {
			r, err := decode(object)
			asked, ok := r.(*runRecord)
			switch {
			case err != nil || !ok || m.isOurs(asked.Window):
				s.bad++
			case !m.enqueue(queued{record: *asked}):
				refused++
			}
		})
	})
	s.reset()
	if found.exists && (s.bad > 0 || found.format != 8) {
		m.log.Warn("requests without sense", "at least", max(s.bad, 1))
	}
	if refused > 0 {
		m.log.Warn("requests refused: too many at once", "number", refused)
	}
	return err
}

// isOurs reports whether we listen to a window ourselves; it is nobody's to be answered at.
func (m *Mailbox) isOurs(window uint32) bool {
	return xproto.Window(window) == m.window || xproto.Window(window) == m.conn.Root
}

// enqueue takes a request over, or tells the asker that there are too many.
func (m *Mailbox) enqueue(q queued) bool {
	window, asked := xproto.Window(q.record.Window), q.record.ID
	m.tell(window, asked, State{Name: Accepted}) // before it can be started
	if !m.queue.put(q) {
		m.tell(window, asked, State{Name: Denied, Reason: "This client has too many requests at once. Try again in a moment."})
		return false
	}
	return true
}

// startAll gives requests to the Runner, in their order.
func (m *Mailbox) startAll(ctx context.Context, runner Runner) {
	for {
		select {
		case m.jobs.starting <- struct{}{}:
		case <-ctx.Done():
			return
		}
		next, ok := m.queue.get(ctx)
		if !ok {
			return
		}
		if !m.start(ctx, runner, next) {
			<-m.jobs.starting
		}
	}
}

// start gives one request to the Runner, and reports whether it did. Who left has
// taken it back.
func (m *Mailbox) start(ctx context.Context, runner Runner, next queued) bool {
	r := next.record
	request := Request{Args: r.Args, Dir: r.Dir, Startup: r.Startup, Wait: r.Wait, Legacy: next.legacy}
	b := &job{asked: r.ID, window: xproto.Window(r.Window), wait: r.Wait && r.Window != 0}
	if reason := unfit(&r, &request, next.legacy); reason != "" {
		m.log.Warn("request refused", "reason", reason)
		m.tell(b.window, b.asked, State{Name: Denied, Reason: reason})
		return false
	}
	id, ok := m.jobs.begin(b)
	if !ok {
		m.tell(b.window, b.asked, State{Name: Denied, Reason: "Too many requests wait for programs of this client. Try again without waiting."})
		return false
	}
	if !m.watch(b) {
		m.log.Warn("request taken back: who asked has gone")
		m.jobs.abandon(b)
		return false
	}
	request.ID = id
	runner.Run(ctx, request, func(s State) { m.report(b, s) })
	return true
}

// unfit says why a request cannot be met; nothing where it can.
func unfit(r *runRecord, request *Request, legacy bool) string {
	switch err := request.check(); {
	case legacy:
		return ""
	case r.Version != version:
		return fmt.Sprintf("This client understands version %d of the requests for local applications, not %d.", version, r.Version)
	case r.Direction != client:
		return "This client starts no programs on the server."
	case err != nil:
		return fmt.Sprintf("The request makes no sense: %v.", err)
	}
	return ""
}

// watch asks to be told of the end of who asked, and reports whether it is there.
func (m *Mailbox) watch(b *job) bool {
	if b.window == 0 {
		return true
	}
	m.jobs.watch(b)
	err := xproto.ChangeWindowAttributesChecked(m.conn.Conn, b.window,
		xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify}).Check()
	return err == nil
}

// report passes a Runner's word on.
func (m *Mailbox) report(b *job, s State) {
	window, unwatch := m.jobs.report(b, s)
	m.tell(window, b.asked, s)
	if unwatch {
		xproto.ChangeWindowAttributes(m.conn.Conn, window, xproto.CwEventMask, []uint32{0})
	}
}

// tell appends an answer to an asker's window. Whether it is still there does not matter.
func (m *Mailbox) tell(window xproto.Window, asked uint32, s State) {
	if window == 0 {
		return
	}
	data, err := encode(&stateRecord{ID: asked, State: s.Name, PID: s.PID, Status: s.Status, Reason: text.Line(s.Reason, maxReason)})
	if err != nil {
		m.log.Warn("answer not sent", "err", err)
		return
	}
	appendRecord(m.conn, window, m.answer, m.utf8Text, data)
}
