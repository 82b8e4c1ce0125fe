package localapps

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"goldm/internal/x11/display"
	"goldm/internal/x11/xconn"
)

// Config describes a mailbox.
type Config struct {
	Display *display.Display
	Holder  string       // who opens it, for another one that tries: "ldm-session (process 7)"
	Legacy  bool         // LTSP_COMMAND and its siblings are taken too
	Log     *slog.Logger // a limited one: whoever reaches the display can provoke lines for ever
}

// Mailbox takes requests on a display, once Serve runs.
type Mailbox struct {
	conn   *xconn.Conn
	window xproto.Window
	legacy bool
	log    *slog.Logger
	events sync.WaitGroup

	// The atoms in use.
	request, answer, version, utf8Text xproto.Atom
	command, commandWait, logoutAction xproto.Atom

	times chan xproto.Timestamp // of the window's first property
	wake  chan struct{}         // holds one where there is something to fetch
	lost  chan struct{}         // closed when the connection has ended

	queue queue
	jobs  jobs
}

// Open makes a mailbox on a display. Where there is another one the error is a
// *TakenError. What earlier sessions left in LTSP 5's properties is cleared.
func Open(ctx context.Context, c Config) (*Mailbox, error) {
	conn, err := xconn.Open(ctx, c.Display)
	if err != nil {
		return nil, err
	}
	m := &Mailbox{
		conn:   conn,
		legacy: c.Legacy,
		log:    c.Log,
		times:  make(chan xproto.Timestamp, 1),
		wake:   make(chan struct{}, 1),
		lost:   make(chan struct{}),
	}
	m.queue.init()
	m.jobs.init()
	m.events.Go(func() {
		defer close(m.lost)
		conn.Events(m.handle)
	})
	stop := context.AfterFunc(ctx, conn.Close)
	err = m.setUp(cmp.Or(c.Holder, "somebody"))
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("mailbox on display %s: %w", c.Display, err)
	}
	return m, nil
}

func (m *Mailbox) setUp(holder string) error {
	atoms, err := m.conn.Atoms(requestName, answerName, versionName, utf8Name,
		commandName, commandWaitName, logoutActionName, "_NET_WM_NAME", selectionName(m.conn.Screen), "MANAGER")
	if err != nil {
		return err
	}
	m.request, m.answer, m.version, m.utf8Text = atoms[0], atoms[1], atoms[2], atoms[3]
	m.command, m.commandWait, m.logoutAction = atoms[4], atoms[5], atoms[6]
	if m.window, err = newWindow(m.conn); err != nil {
		return err
	}
	number := binary.LittleEndian.AppendUint32(nil, version)
	xproto.ChangeProperty(m.conn.Conn, xproto.PropModeReplace, m.window, m.version, xproto.AtomCardinal, 32, 1, number)
	xproto.ChangeProperty(m.conn.Conn, xproto.PropModeReplace, m.window, atoms[7], m.utf8Text, 8, uint32(len(holder)), []byte(holder))
	var now xproto.Timestamp // ICCCM, 2.1: of an event, never CurrentTime
	select {
	case now = <-m.times:
	case <-m.lost:
		return xconn.ErrLost
	}
	if err := m.claim(atoms[8], atoms[9], atoms[7], now); err != nil {
		return err
	}
	return m.watchRoot()
}

// watchRoot begins to hear of LTSP 5's properties, and clears them.
func (m *Mailbox) watchRoot() error {
	if !m.legacy {
		return nil
	}
	for _, name := range []xproto.Atom{m.command, m.commandWait, m.logoutAction} {
		xproto.DeleteProperty(m.conn.Conn, m.conn.Root, name)
	}
	err := xproto.ChangeWindowAttributesChecked(m.conn.Conn, m.conn.Root,
		xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check()
	if err != nil {
		return fmt.Errorf("watch the root window: %w", xconn.Lost(err))
	}
	return nil
}

// Window is the mailbox's window, which LTSP_LOCALAPPS names after the display.
func (m *Mailbox) Window() uint32 { return uint32(m.window) }

// Close gives the mailbox up, and ends Serve.
func (m *Mailbox) Close() {
	m.conn.Close()
	m.events.Wait()
}

// handle takes the X server's events; it must not wait for the server.
func (m *Mailbox) handle(event xgb.Event) {
	switch e := event.(type) {
	case xproto.PropertyNotifyEvent:
		if e.State != xproto.PropertyNewValue {
			return
		}
		switch {
		case e.Window == m.window && e.Atom == m.version:
			select {
			case m.times <- e.Time:
			default:
			}
		case e.Window == m.window && e.Atom == m.request, e.Window == m.conn.Root && e.Atom == m.command:
			m.fetchSoon()
		}
	case xproto.DestroyNotifyEvent:
		m.jobs.forget(e.Window)
	case xproto.SelectionClearEvent:
		m.log.Warn("another program took the selection of the local applications; who knows this window still reaches it")
	}
}

func (m *Mailbox) fetchSoon() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
