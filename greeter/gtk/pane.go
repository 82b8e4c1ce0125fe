package gtk

import (
	"fmt"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/gtk"
)

// pane is what the two windows have in common: a card with an entry field, a text
// that scrolls above it, and lines for the state and for hints.
type pane struct {
	window *gtk.Window
	scroll *gtk.ScrolledWindow
	label  *gtk.Label
	entry  *gtk.Entry
	status *gtk.Label
	hint   *gtk.Label

	width   int // of what is in the card, in pixels
	maxText int // height of the text before it scrolls

	keymap *gdk.Keymap
	font   *gtk.CssProvider

	enter     func(text string)
	keys      map[uint]func() // by key value
	enterDown bool
}

func newPane(l *loader) (*pane, error) {
	p := &pane{
		window: widget[*gtk.Window](l, "window"),
		scroll: widget[*gtk.ScrolledWindow](l, "scroll"),
		label:  widget[*gtk.Label](l, "label"),
		entry:  widget[*gtk.Entry](l, "entry"),
		status: widget[*gtk.Label](l, "status"),
		hint:   widget[*gtk.Label](l, "hint"),
	}
	if l.err != nil {
		return nil, fmt.Errorf("window: %w", l.err)
	}
	display, err := gdk.DisplayGetDefault()
	if err != nil {
		return nil, fmt.Errorf("display: %w", err)
	}
	if p.keymap, err = display.GetKeymap(); err != nil {
		return nil, fmt.Errorf("keyboard: %w", err)
	}
	if p.font, err = gtk.CssProviderNew(); err != nil {
		return nil, fmt.Errorf("style sheet: %w", err)
	}
	return p, nil
}

// open shows the window and takes the input focus once the window is there: no
// window manager does it, and the X server refuses it before
// (SetInputFocus, X11 protocol section 9).
func (p *pane) open() {
	p.window.Connect("map-event", func() { p.window.Present() })
	p.entry.GrabFocus()
	p.window.Show()
}

// fit sizes card and text for a monitor.
func (p *pane) fit(a area) error {
	em := a.em()
	p.width, p.maxText = min(25*em, a.width-6*em), a.height/3
	p.entry.SetSizeRequest(p.width, -1)
	p.scroll.SetSizeRequest(p.width, -1)
	screen, err := gdk.ScreenGetDefault()
	if err != nil {
		return err
	}
	if err := p.font.LoadFromData(fmt.Sprintf("window { font-size: %dpx; }", em)); err != nil {
		return err
	}
	gtk.AddProviderForScreen(screen, p.font, uint(gtk.STYLE_PROVIDER_PRIORITY_APPLICATION))
	return nil
}

// fitText makes room for the text that scrolls, as far as there is some, and says
// whether there is more: GTK would guess its height from a width of its own
// choice.
func (p *pane) fitText(text *gtk.Widget) bool {
	_, all := text.GetPreferredHeightForWidth(p.width)
	height := min(all, p.maxText)
	p.scroll.SetMaxContentHeight(-1) // never less than the least
	p.scroll.SetMinContentHeight(height)
	p.scroll.SetMaxContentHeight(height)
	return all > height
}

// onKeys calls enter with the text of the entry field, and what else there is a
// key for.
func (p *pane) onKeys(enter func(text string), keys map[uint]func()) {
	p.enter, p.keys = enter, keys
	p.window.Connect("key-press-event", func(_ *gtk.Window, e *gdk.Event) bool {
		return p.pressed(gdk.EventKeyNewFromEvent(e).KeyVal())
	})
	p.window.Connect("key-release-event", func(_ *gtk.Window, e *gdk.Event) bool {
		if isEnter(gdk.EventKeyNewFromEvent(e).KeyVal()) {
			p.enterDown = false
		}
		return false
	})
	// A key released elsewhere is not held any more.
	p.window.Connect("focus-in-event", func() bool { p.enterDown = false; return false })
	// The entry field decides what Enter is: to an input method it may mean more.
	p.entry.Connect("activate", func() {
		if text, err := p.entry.GetText(); err == nil {
			enter(text)
		}
	})
}

// pressed handles a key before the entry field does, and says whether that was all.
func (p *pane) pressed(key uint) bool {
	act := p.keys[key]
	switch {
	case isEnter(key):
		return p.pressedEnter()
	case act != nil:
		act()
	case key == gdk.KEY_Page_Up || key == gdk.KEY_KP_Page_Up:
		p.turnPage(-1)
	case key == gdk.KEY_Page_Down || key == gdk.KEY_KP_Page_Down:
		p.turnPage(1)
	default:
		return false
	}
	return true
}

// pressedEnter leaves Enter to the entry field if there is one. GDK reports a key that is
// held down as presses without releases: a held Enter answers one question, not
// all that come.
func (p *pane) pressedEnter() bool {
	repeated := p.enterDown
	p.enterDown = true
	if repeated || p.entry.GetVisible() {
		return repeated
	}
	p.enter("")
	return true
}

func isEnter(key uint) bool {
	return key == gdk.KEY_Return || key == gdk.KEY_KP_Enter || key == gdk.KEY_ISO_Enter
}

// turnPage scrolls the text by most of its height.
func (p *pane) turnPage(direction float64) {
	a := p.scroll.GetVAdjustment()
	a.SetValue(a.GetValue() + direction*0.9*a.GetPageSize())
}

// onCapsLock calls changed whenever Caps Lock may have changed.
func (p *pane) onCapsLock(changed func()) {
	p.keymap.Connect("state-changed", changed)
}

// setClass gives a widget a class of the style sheet, or takes it.
func setClass(w *gtk.Widget, class string, on bool) error {
	style, err := w.GetStyleContext()
	if err != nil {
		return err
	}
	if on {
		style.AddClass(class)
	} else {
		style.RemoveClass(class)
	}
	return nil
}
