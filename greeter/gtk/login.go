package gtk

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"
	"github.com/gotk3/gotk3/pango"

	"goldm/greeter"
)

//go:embed login.ui
var loginUI string

// Login shows the login screen until greeter.Run returns, and returns its
// error. It sets c.Screen.
func Login(ctx context.Context, c greeter.Config) error {
	if err := start(); err != nil {
		return err
	}
	s, err := newScreen(c.Log)
	if err != nil {
		return err
	}
	c.Screen = s
	result := make(chan error, 1)
	go func() {
		result <- greeter.Run(ctx, c)
		glib.IdleAdd(gtk.MainQuit)
	}()
	s.open()
	s.window.GetFrameClock().Connect("after-paint", s.announce)
	beat(c.Pulse)
	gtk.Main()
	return <-result
}

// beatEvery is how often GTK's loop shows that it turns.
const beatEvery = 10 * time.Second

// beat has GTK's loop give signs of life from now on.
func beat(p *greeter.Pulse) {
	p.Beat(beatEvery)
	glib.TimeoutAdd(uint(beatEvery.Milliseconds()), func() bool {
		p.Beat(beatEvery)
		return true
	})
}

// screen is the login screen, a greeter.Screen. All but Show, Inputs and what mu
// guards belongs to GTK's thread.
type screen struct {
	*pane
	title, user, servers, notices *gtk.Label

	messages *gtk.Box
	spinner  *gtk.Spinner
	guest    *gtk.Button
	choice   *gtk.Button
	changed  glib.SignalHandle // of the entry field
	log      *slog.Logger
	inputs   chan greeter.Event
	painted  greeter.View

	announced string
	more      bool // the messages scroll

	mu    sync.Mutex
	view  greeter.View
	dirty bool // view waits to be painted
}

func newScreen(log *slog.Logger) (*screen, error) {
	l := load(loginUI)
	s := &screen{
		title:    widget[*gtk.Label](l, "title"),
		user:     widget[*gtk.Label](l, "user"),
		servers:  widget[*gtk.Label](l, "servers"),
		notices:  widget[*gtk.Label](l, "notices"),
		messages: widget[*gtk.Box](l, "messages"),
		spinner:  widget[*gtk.Spinner](l, "spinner"),
		guest:    widget[*gtk.Button](l, "guest"),
		choice:   widget[*gtk.Button](l, "choice"),
		log:      log,
		inputs:   make(chan greeter.Event, 16),
	}
	var err error
	if s.pane, err = newPane(l); err != nil {
		return nil, err
	}
	if err := s.cover(); err != nil {
		return nil, err
	}
	s.connect()
	return s, nil
}

// connect reacts to keys, to monitors that come and go, and keeps the window open.
func (s *screen) connect() {
	guest := func() { s.input(greeter.GuestAsked{Turn: s.painted.Turn}) }
	server := func() { s.input(greeter.ServerTurned{}) }
	s.guest.Connect("clicked", guest)
	s.choice.Connect("clicked", server)
	// Before onKeys, which keeps some keys for itself.
	s.window.Connect("key-press-event", func() bool { s.touched(); return false })
	s.changed = s.entry.Connect("changed", s.touched)
	s.onKeys(
		func(text string) { s.input(greeter.Submitted{Turn: s.painted.Turn, Text: text}) },
		map[uint]func(){
			gdk.KEY_Escape: func() { s.input(greeter.Escaped{}) },
			gdk.KEY_F2:     guest,
			gdk.KEY_F3:     server,
		})
	s.onCapsLock(s.paintStatus)
	s.window.Connect("delete-event", func() bool { return true })
	s.window.GetScreen().Connect("monitors-changed", func() {
		s.complain(s.cover())
		s.paintMessages()
	})
}

// cover fills the primary monitor, with or without a window manager.
func (s *screen) cover() error {
	a, err := monitor()
	if err != nil {
		return err
	}
	s.window.Move(a.x, a.y)
	s.window.SetSizeRequest(a.width, a.height)
	s.window.Resize(a.width, a.height)
	s.window.Fullscreen()
	if err := s.fit(a); err != nil {
		return err
	}
	s.title.SetSizeRequest(s.width, -1) // all that is always in the card
	return nil
}

// input hands on what the person did. Whoever presses sixteen keys before the first
// is looked at does not miss the seventeenth.
func (s *screen) input(e greeter.Event) {
	select {
	case s.inputs <- e:
	default:
	}
}

// touched tells of any key, with what it did to the entry field.
func (s *screen) touched() {
	s.input(greeter.Typed{Turn: s.painted.Turn, Empty: s.entry.GetTextLength() == 0})
}

// Inputs is greeter.Screen's.
func (s *screen) Inputs() <-chan greeter.Event { return s.inputs }

// Show is greeter.Screen's. Only the last of several views is painted.
func (s *screen) Show(v greeter.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = v
	if !s.dirty {
		s.dirty = true
		glib.IdleAdd(s.paint)
	}
}

func (s *screen) latest() greeter.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = false
	return s.view
}

func (s *screen) paint() {
	v, before := s.latest(), s.painted
	s.painted = v
	s.title.SetText(v.Title)
	s.user.SetText(cmp.Or(v.User, "Log in"))
	s.servers.SetText(v.Servers)
	s.choice.SetSensitive(v.Choice)
	s.guest.SetVisible(v.Guest)
	s.label.SetText(v.Label)
	s.notices.SetText(strings.Join(v.Notices, "\n"))
	s.notices.SetVisible(len(v.Notices) > 0)
	if !slices.Equal(v.Messages, before.Messages) {
		s.paintMessages()
	}
	if v.Turn != before.Turn {
		s.paintEntry()
	}
	s.hint.SetText(hint(v.Hint, s.more))
	s.paintStatus()
}

// announce puts what is to be typed or waited for into the window's title, for
// screen readers. It comes after the painting, so that who looks at the title knows
// that the rest is on the screen.
func (s *screen) announce() {
	v := s.painted
	what := v.Label
	if v.Entry == greeter.Locked {
		what = cmp.Or(v.Status, v.Hint)
	}
	if title := v.Title + ": " + what; title != s.announced {
		s.announced = title
		s.window.SetTitle(title)
	}
}

// hint adds the keys that scroll, where there is more to read.
func hint(keys string, more bool) string {
	if !more {
		return keys
	}
	return "Page Down: read on · " + keys
}

// paintEntry fills the entry field anew. It stays empty between the turns, so
// that no answer becomes visible and none outlives its question.
func (s *screen) paintEntry() {
	v := s.painted
	s.entry.HandlerBlock(s.changed)
	defer s.entry.HandlerUnblock(s.changed)
	s.entry.SetText("")
	s.entry.SetVisibility(v.Entry != greeter.Secret)
	s.entry.SetEditable(v.Entry != greeter.Locked)
	s.entry.SetText(v.Text)
	s.label.SetVisible(v.Label != "")
	s.entry.SetVisible(v.Label != "")
	s.entry.GrabFocus()
	s.entry.SelectRegion(0, -1)
	s.complain(setClass(&s.entry.Widget, "locked", v.Entry == greeter.Locked))
}

// paintStatus shows what is waited for, or that Caps Lock is on.
func (s *screen) paintStatus() {
	v := s.painted
	status, warn := v.Status, false
	if v.Status == "" && v.Entry != greeter.Locked && s.keymap.GetCapsLockState() {
		status, warn = capsLock, true
	}
	s.status.SetText(status)
	s.complain(setClass(&s.status.Widget, "alarm", warn))
	s.spinner.SetVisible(v.Busy)
	if v.Busy {
		s.spinner.Start()
	} else {
		s.spinner.Stop()
	}
}

func (s *screen) paintMessages() {
	s.messages.GetChildren().Foreach(func(child any) {
		if w, ok := child.(*gtk.Widget); ok {
			w.Destroy()
		}
	})
	for _, m := range s.painted.Messages {
		label, err := newMessage(m)
		if err != nil {
			s.complain(err)
			continue
		}
		s.messages.Add(label)
	}
	s.messages.ShowAll()
	s.more = s.fitText(&s.messages.Widget)
	s.scroll.SetVisible(len(s.painted.Messages) > 0)
	s.scroll.GetVAdjustment().SetValue(0)
}

// leastChars is the width that GTK tries first for a text that wraps, as in the
// .ui files. At that of one character a word of some thousands takes it minutes.
const leastChars = 30

// newMessage returns a label of plain text, which wraps at the card's width.
func newMessage(m greeter.Message) (*gtk.Label, error) {
	label, err := gtk.LabelNew(m.Text)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	label.SetLineWrap(true)
	label.SetLineWrapMode(pango.WRAP_WORD_CHAR)
	label.SetWidthChars(leastChars)
	label.SetMaxWidthChars(leastChars)
	label.SetXAlign(0)
	if err := setClass(&label.Widget, "message", true); err != nil {
		return nil, err
	}
	return label, setClass(&label.Widget, "trouble", m.Kind == greeter.Trouble)
}

func (s *screen) complain(err error) {
	if err != nil {
		s.log.Warn("paint the login screen", "err", err)
	}
}
