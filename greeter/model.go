package greeter

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/ldm/greetd"
)

// Every state has one clock, which starts with its turn: no two times are ever
// waited for at once.
const (
	slowAfter   = 300 * time.Millisecond // a wait that a person notices
	settleAfter = 250 * time.Millisecond // faster than anybody reads a question
	readFor     = 8 * time.Second        // for a message right before the session
	brokenFor   = 4 * time.Second        // for the sentence that ends it all
	tick        = time.Second            // while a name is typed: see idle

	// maxAnswer bounds what is sent, in bytes, far below greetd.MaxFrame.
	maxAnswer = 8 << 10
)

const unanswered = "The login service of this computer does not answer."

type state int

const (
	naming   state = iota // the user name is being typed
	waiting               // for the daemon's response
	asking                // a question of the server is being answered
	reading               // all is answered, with messages that nobody has seen yet
	starting              // the session is the daemon's now and begins once we exit
	broken                // the daemon is gone
)

// clock is how long a turn lasts before something happens by itself.
func (s state) clock() time.Duration {
	switch s {
	case naming:
		return tick
	case waiting, starting:
		return slowAfter
	case broken:
		return brokenFor
	}
	return settleAfter
}

// Model is the state of a login screen. The zero value is of no use: see NewModel.
type Model struct {
	actions []Action // of this step
	state   state
	line    line
	seat    seat
	idle    idle

	turn     int
	settled  bool   // this turn has lasted long enough for an empty answer to be meant
	name     string // that the person typed last
	who      string // logs in
	byItself bool   // nobody asked for this login
	label    string
	answer   Entry
	messages []Message

	slow     bool
	progress string
}

// line is the connection to the daemon.
type line struct {
	ready      bool           // the daemon takes requests
	describing bool           // it has yet to answer a Describe
	plain      bool           // it is greetd itself
	pending    greetd.Request // to send once it is ready
	failed     bool           // it was lost since the daemon last made sense
	cause      error          // why state is broken, for the log
}

// NewModel returns the login screen of a client that waits for its connection
// to the daemon and for a user name.
func NewModel(hostname string) *Model {
	return &Model{seat: seat{title: text.Line(hostname, maxLine)}, label: nameLabel, turn: 1}
}

// Step takes one event and returns what to do about it, in order.
func (m *Model) Step(e Event) []Action {
	m.actions = nil
	switch e := e.(type) {
	case Submitted:
		m.submitted(e)
	case Typed:
		m.typed(e)
	case GuestAsked:
		m.guestAsked(e)
	case ServerTurned:
		m.serverTurned()
	case Escaped:
		m.escaped()
	case Opened:
		m.opened()
	case Received:
		m.received(e.Response)
	case Lost:
		m.lost(e.Err)
	case Woken:
		m.woken()
	}
	return m.actions
}

func (m *Model) do(a Action) { m.actions = append(m.actions, a) }

// submitted takes an Enter. One that belongs to an earlier turn is the second of
// a double Enter; so is an empty one that comes before the question can have been read.
func (m *Model) submitted(e Submitted) {
	if e.Turn != m.turn {
		return
	}
	if len(e.Text) > maxAnswer {
		m.messages = []Message{{Trouble, "That is too long. Type something shorter."}}
		return
	}
	switch m.state {
	case naming:
		if name := strings.TrimSpace(e.Text); name != "" {
			m.login(name)
		}
	case asking:
		if e.Text != "" || m.settled {
			m.request(waiting, &greetd.PostResponse{Response: &e.Text})
		}
	case reading:
		if m.settled {
			m.start()
		}
	}
}

func (m *Model) login(name string) {
	m.name, m.who, m.byItself = name, name, false
	m.request(waiting, &greetd.CreateSession{
		Username: name, Server: m.seat.chosen, Progress: !m.line.plain,
	})
}

func (m *Model) guestAsked(e GuestAsked) {
	if e.Turn == m.turn && m.state == naming && m.seat.guest {
		m.loginAs(true)
		m.byItself = false
	}
}

// loginAs begins a login with what the client's configuration has: its own or a
// guest's.
func (m *Model) loginAs(guest bool) {
	m.name, m.who, m.byItself = "", "Automatic login", true
	if guest {
		m.who = "Guest"
	}
	m.label = ""
	m.request(waiting, &greetd.AutomaticSession{Guest: guest, Progress: true})
}

// request waits for the response to r.
func (m *Model) request(s state, r greetd.Request) {
	m.messages = nil
	m.slow, m.progress = false, ""
	m.line.pending = r
	m.flush()
	m.next(s)
}

// flush sends what waits to be sent.
func (m *Model) flush() {
	if m.line.ready && m.line.pending != nil {
		m.do(Send{m.line.pending})
		m.line.pending = nil
	}
}

// next begins a turn.
func (m *Model) next(s state) {
	m.state = s
	m.turn++
	m.settled = false
	m.do(Wake{s.clock()})
}

// reset goes back to the user name. Nothing begins by itself before some seconds.
func (m *Model) reset(pause int) {
	m.next(naming)
	m.label = nameLabel
	m.line.pending = nil
	m.idle = idle{pause: pause, held: m.name != ""}
	m.describe()
}

// escaped cancels whatever goes on. Once the daemon has been asked to start
// the session, closing the connection would not stop it any more.
func (m *Model) escaped() {
	switch m.state {
	case starting, broken:
		return
	case naming:
		m.name, m.seat.chosen = "", ""
	default:
		m.reopen()
	}
	m.messages = nil
	m.reset(pauseEscaped)
}

func (m *Model) reopen() {
	m.line.ready, m.line.describing = false, false
	m.do(Reopen{})
}

// opened asks for the seat before anything else.
func (m *Model) opened() {
	m.line.ready = true
	m.describe()
	m.flush()
	if m.state == naming {
		m.do(Wake{tick})
	}
}

// received takes a message of the daemon. One that nothing asked for is ignored.
func (m *Model) received(r greetd.Response) {
	switch {
	case m.line.describing:
		m.described(r)
	case m.state == waiting || m.state == starting:
		m.line.failed = false
		m.responded(r)
	}
}

func (m *Model) responded(r greetd.Response) {
	switch r := r.(type) {
	case *greetd.Progress:
		m.progress = text.Line(r.Text, maxLine)
	case *greetd.Error:
		m.refused(r)
	case *greetd.Success:
		m.succeeded()
	case *greetd.AuthMessage:
		m.asked(r)
	}
}

// refused goes back to the user name after an error. greetd itself keeps the failed
// login until it is cancelled.
func (m *Model) refused(r *greetd.Error) {
	m.add(Trouble, cmp.Or(r.Description, "The login failed. Try again."))
	if m.line.plain {
		m.reopen()
	}
	m.reset(pauseFailed)
}

// succeeded ends a step that went well: the dialogue, or the start of the
// session. Messages since the last answer stay long enough to be read.
func (m *Model) succeeded() {
	switch {
	case m.state == starting:
		m.do(Leave{})
	case len(m.messages) > 0:
		m.next(reading)
		m.label = ""
	default:
		m.start()
	}
}

func (m *Model) start() {
	m.request(starting, &greetd.StartSession{Cmd: []string{}, Env: []string{}})
}

// asked takes a question, or a text, which is acknowledged at once and stays
// until the next answer.
func (m *Model) asked(r *greetd.AuthMessage) {
	switch {
	case m.state == starting:
		m.lost(errors.New("a question after the end of the login"))
		return
	case r.Type == greetd.Visible:
		m.answer = Visible
	case r.Type == greetd.Secret:
		m.answer = Secret
	case r.Type == greetd.Trouble:
		m.add(Trouble, r.Text)
		m.do(Send{&greetd.PostResponse{}})
		return
	default:
		m.add(Info, r.Text)
		m.do(Send{&greetd.PostResponse{}})
		return
	}
	m.next(asking)
	m.ask(r.Text)
}

// lost tries another connection once. A person in the middle of a login starts it
// again; one who types the name need not know.
func (m *Model) lost(err error) {
	switch {
	case m.state == broken:
		return
	case m.line.failed:
		m.broke(err)
		return
	}
	m.line.failed = true
	// greetd itself hangs up on a question that it does not know.
	m.line.plain = m.line.plain || m.line.describing && !m.seat.known
	m.reopen()
	if m.state != naming {
		m.messages = nil
		m.add(Trouble, "The login was interrupted. Try again.")
		m.reset(pauseFailed)
	}
}

func (m *Model) broke(err error) {
	m.next(broken)
	m.line = line{cause: err}
	m.label = ""
	m.messages = []Message{{Trouble, unanswered}}
}

// woken goes on with what the state waits for besides events.
func (m *Model) woken() {
	switch m.state {
	case naming:
		m.ticked()
	case waiting, starting:
		m.slow = true
	case asking:
		m.settled = true
	case reading:
		if m.settled {
			m.start()
			return
		}
		m.settled = true
		m.do(Wake{readFor})
	case broken:
		m.do(Leave{failure.New(m.line.cause, unanswered)})
	}
}
