package gtk

import (
	"context"
	_ "embed"
	"errors"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"

	"goldm/greeter"
)

//go:embed ask.ui
var askUI string

const capsLock = "Caps Lock is on."

// ErrCancelled is Ask's error when the person does not want to answer.
var ErrCancelled = errors.New("cancelled")

// Ask shows a question in a small window and returns the answer. Where entry is
// greeter.Locked it is a text to be read, and the answer is empty. The text
// must be harmless.
func Ask(ctx context.Context, text string, entry greeter.Entry) (string, error) {
	if err := start(); err != nil {
		return "", err
	}
	q := &question{err: ErrCancelled}
	var err error
	if q.pane, err = newPane(load(askUI)); err != nil {
		return "", err
	}
	a, err := monitor()
	if err != nil {
		return "", err
	}
	if err := q.fit(a); err != nil {
		return "", err
	}
	q.show(text, entry)
	defer context.AfterFunc(ctx, func() { glib.IdleAdd(gtk.MainQuit) })()
	gtk.Main()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return q.answer, q.err
}

type question struct {
	*pane
	answer string
	err    error
}

func (q *question) show(text string, entry greeter.Entry) {
	q.label.SetText(text)
	q.label.SetVisible(text != "")
	q.entry.SetVisibility(entry == greeter.Visible)
	q.onKeys(q.take, map[uint]func(){gdk.KEY_Escape: gtk.MainQuit})
	q.window.Connect("destroy", gtk.MainQuit)
	if entry == greeter.Locked {
		q.entry.Hide()
	} else {
		q.onCapsLock(q.warn)
		q.warn()
	}
	more := q.fitText(&q.label.Widget)
	q.hint.SetText(hint("Enter: continue · Esc: cancel", more))
	q.open()
}

// take ends the window with an answer.
func (q *question) take(answer string) {
	q.answer, q.err = answer, nil
	q.entry.SetText("")
	gtk.MainQuit()
}

func (q *question) warn() {
	text := ""
	if q.keymap.GetCapsLockState() {
		text = capsLock
	}
	q.status.SetText(text)
}
