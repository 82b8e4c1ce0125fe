package greeter

import (
	"fmt"

	"goldm/ldm/greetd"
)

// Seconds.
const (
	refreshEvery = 10 // for servers that come and go
	abandonAfter = 60 // a text that nobody went on with

	// What begins by itself gives a person this long, whatever the daemon says.
	pauseTyped   = 10
	pauseFailed  = 10
	pauseEscaped = 30
)

// idle is what goes on by itself while a name is typed, or nobody is there.
type idle struct {
	offer *greetd.Automatic // what begins; nil for nothing
	pause int               // seconds that it waits at least
	held  bool              // by what is in the entry field
	left  int               // seconds until it begins, or until a held text is taken for abandoned
	age   int               // seconds since the seat was asked for
}

// offered starts to count when the daemon offers something new; that it offers
// the same as before does not start it anew.
func (m *Model) offered(offer *greetd.Automatic) {
	before := m.idle.offer
	m.idle.offer = offer
	if m.state == naming && offer != nil && (before == nil || *offer != *before) {
		m.count()
	}
}

// count starts to count anew.
func (m *Model) count() {
	switch i := &m.idle; {
	case i.offer == nil:
	case i.held:
		i.left = abandonAfter
	default:
		i.left = max(i.offer.After, i.pause)
		if i.left == 0 {
			m.loginAs(i.offer.Guest)
			return
		}
		m.do(Wake{tick})
	}
}

// typed stops what would begin by itself. It counts anew once the entry field is
// empty again.
func (m *Model) typed(e Typed) {
	if m.state != naming || e.Turn != m.turn {
		return
	}
	m.idle.held = !e.Empty
	m.idle.pause = max(m.idle.pause, pauseTyped)
	m.count()
}

// ticked is one second of a turn in which a name can be typed.
func (m *Model) ticked() {
	i := &m.idle
	if i.offer != nil {
		i.left--
	}
	switch {
	case i.offer != nil && i.left <= 0 && i.held:
		m.name, m.messages = "", nil
		m.reset(pauseTyped)
		return
	case i.offer != nil && i.left <= 0:
		m.loginAs(i.offer.Guest)
		return
	}
	m.do(Wake{tick})
	if i.age++; i.age >= refreshEvery && m.line.ready {
		i.age = 0
		m.line.failed = false // it has lasted
		m.describe()
	}
}

// countdown says what begins when.
func (m *Model) countdown() string {
	i := &m.idle
	if i.offer == nil || i.held {
		return ""
	}
	what := "Automatic login"
	switch {
	case len(m.messages) > 0 && m.byItself:
		what = "Next try"
	case i.offer.Guest:
		what = "Guest session"
	}
	return fmt.Sprintf("%s in %s. Press any key to stay here.", what, span(i.left))
}

func span(seconds int) string {
	if seconds > 2*60 {
		return fmt.Sprintf("%d min", (seconds+59)/60)
	}
	return fmt.Sprintf("%d s", seconds)
}
