package localapps

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"goldm/internal/x11/display"
	"goldm/internal/x11/xconn"
)

// ErrNoAgent is in the chain of errors that say that nobody on a display takes requests.
var ErrNoAgent = errors.New("no agent for local applications")

// silence is how long a mailbox may take to say that a request has arrived.
const silence = 30 * time.Second

// Asker asks the mailbox of one display. It may be used from several goroutines.
type Asker struct {
	conn    *xconn.Conn
	mailbox xproto.Window
	window  xproto.Window // for the answers
	events  sync.WaitGroup

	request, answer, version, utf8Text xproto.Atom

	wake chan struct{} // holds one where there are answers
	gone chan struct{} // closed when the mailbox is gone, or the display
	once sync.Once     // for gone
	over chan struct{} // closed when no more answers come

	mu    sync.Mutex
	asked map[uint32]chan State
}

// Connect finds the mailbox of a display: the window, where it is one and not 0, else
// the manager selection's owner.
func Connect(ctx context.Context, d *display.Display, window uint32) (*Asker, error) {
	conn, err := xconn.Open(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	a := &Asker{
		conn:  conn,
		wake:  make(chan struct{}, 1),
		gone:  make(chan struct{}),
		over:  make(chan struct{}),
		asked: make(map[uint32]chan State),
	}
	a.events.Go(func() {
		conn.Events(a.handle)
		a.once.Do(func() { close(a.gone) })
	})
	a.events.Go(a.fetchAll)
	stop := context.AfterFunc(ctx, conn.Close)
	err = a.setUp(xproto.Window(window))
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		a.Close()
		return nil, fmt.Errorf("display %s: %w", d, err)
	}
	return a, nil
}

func (a *Asker) setUp(window xproto.Window) error {
	atoms, err := a.conn.Atoms(requestName, answerName, versionName, utf8Name, selectionName(a.conn.Screen))
	if err != nil {
		return err
	}
	a.request, a.answer, a.version, a.utf8Text = atoms[0], atoms[1], atoms[2], atoms[3]
	if a.mailbox, err = a.find(window, atoms[4]); err != nil {
		return err
	}
	if a.window, err = newWindow(a.conn); err != nil {
		return err
	}
	return nil
}

// find finds a mailbox that is alive and watches it.
func (a *Asker) find(window xproto.Window, selection xproto.Atom) (xproto.Window, error) {
	if window != 0 && a.isMailbox(window) {
		return window, nil
	}
	owner, err := xproto.GetSelectionOwner(a.conn.Conn, selection).Reply()
	if err != nil {
		return 0, fmt.Errorf("selection: %w", xconn.Lost(err))
	}
	if owner.Owner != xproto.WindowNone && a.isMailbox(owner.Owner) {
		return owner.Owner, nil
	}
	return 0, ErrNoAgent
}

// isMailbox reports whether a window is a mailbox: the number of one that is gone may
// belong to another window by now.
func (a *Asker) isMailbox(window xproto.Window) bool {
	err := xproto.ChangeWindowAttributesChecked(a.conn.Conn, window,
		xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify}).Check()
	if err != nil {
		return false
	}
	value, err := read(a.conn, window, a.version)
	return err == nil && value.Type == xproto.AtomCardinal && value.Format == 32
}

// Close leaves. What has not begun yet of what was asked for does not begin any more.
func (a *Asker) Close() {
	a.conn.Close()
	a.events.Wait()
}

// handle takes the X server's events; it must not wait for the server.
func (a *Asker) handle(event xgb.Event) {
	switch e := event.(type) {
	case xproto.PropertyNotifyEvent:
		if e.Atom == a.answer && e.State == xproto.PropertyNewValue {
			select {
			case a.wake <- struct{}{}:
			default:
			}
		}
	case xproto.DestroyNotifyEvent:
		if e.Window == a.mailbox {
			a.once.Do(func() { close(a.gone) })
		}
	}
}

// fetchAll hands out the answers, those too that came before the mailbox went.
func (a *Asker) fetchAll() {
	defer close(a.over)
	for {
		select {
		case <-a.wake:
			if err := a.fetch(); err != nil {
				return
			}
		case <-a.gone:
			a.fetch()
			return
		}
	}
}

func (a *Asker) fetch() error {
	var s splitter
	_, err := take(a.conn, a.window, a.answer, s.reset, func(piece []byte) {
		s.feed(piece, func(object []byte) {
			r, err := decode(object)
			if answer, ok := r.(*stateRecord); err == nil && ok {
				a.hand(answer)
			}
		})
	})
	return err
}

// hand gives an answer to who waits for it.
func (a *Asker) hand(answer *stateRecord) {
	s, err := answer.state()
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.asked[answer.ID] <- s:
	default: // nobody waits, or the agent says more than there is to say
	}
}

// Ask asks for a program and waits until it has Started, or with Wait until it has
// Exited, or for the reason why not. It returns that last state; progress, unless it is
// nil, hears those before it. A Dir or a Startup that makes no sense is left out.
func (a *Asker) Ask(ctx context.Context, r Request, progress func(State)) (State, error) {
	r.tidy()
	if err := r.check(); err != nil {
		return State{}, &BadRequest{Reason: err.Error()}
	}
	id, states := a.expect()
	defer a.expectNoMore(id)
	if err := a.send(ctx, id, r); err != nil {
		return State{}, err
	}
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		s, err := a.next(ctx, states, quiet.C)
		if err != nil || s.last() || s.Name == Started && !r.Wait {
			return s, err
		}
		quiet.Stop()
		if progress != nil {
			progress(s)
		}
	}
}

// next waits for an answer.
func (a *Asker) next(ctx context.Context, states <-chan State, quiet <-chan time.Time) (State, error) {
	select {
	case s := <-states:
		return s, nil
	case <-quiet:
		return State{}, fmt.Errorf("%w that answers", ErrNoAgent)
	case <-ctx.Done():
		return State{}, context.Cause(ctx)
	case <-a.over:
	}
	select {
	case s := <-states: // it came before the end
		return s, nil
	default:
		return State{}, fmt.Errorf("%w any more: it has gone", ErrNoAgent)
	}
}

// expect makes an id and a channel for the answers that name it.
func (a *Asker) expect() (uint32, chan State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := rand.Uint32() // else an answer could be for who had the window's number before
	for a.asked[id] != nil {
		id++
	}
	a.asked[id] = make(chan State, 4) // there are three at most
	return id, a.asked[id]
}

func (a *Asker) expectNoMore(id uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.asked, id)
}

// send appends a request to the mailbox.
func (a *Asker) send(ctx context.Context, id uint32, r Request) error {
	data, err := encode(&runRecord{
		Version: version, Direction: client, ID: id, Window: uint32(a.window),
		Args: r.Args, Dir: r.Dir, Startup: r.Startup, Wait: r.Wait,
	})
	if err != nil {
		return &BadRequest{Reason: err.Error()}
	}
	for began := time.Now(); ; {
		err = appendRecord(a.conn, a.mailbox, a.request, a.utf8Text, data).Check()
		_, odd := errors.AsType[xproto.MatchError](err)
		switch {
		case err == nil:
			return nil
		case !odd || time.Since(began) > silence:
			return fmt.Errorf("%w: %w", ErrNoAgent, xconn.Lost(err))
		}
		select { // something of another type stands there, which the mailbox is about to clear
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
