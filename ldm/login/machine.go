package login

import (
	"errors"
	"fmt"
	"time"

	"goldm/internal/pulse"
	"goldm/internal/text"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

const (
	// maxText bounds a server's text on its way to a greeter, in characters;
	// six times as many bytes of JSON still fit a frame.
	maxText = 4000
	// maxAnswer bounds an answer, in bytes, for the same reason.
	maxAnswer = 8 << 10
	// maxDying bounds the workers that were told to stop and have not yet.
	maxDying = 8
)

type state int

const (
	starting  state = iota // the X server is coming up
	idle                   // the greeter has the screen
	asking                 // a worker logs in
	ready                  // it has logged in and waits for the session's choice
	leaving                // the greeter is about to exit
	switching              // its X server makes room for the session's
	running                // the session has the screen
	ending                 // everything goes down
)

func (s state) String() string {
	return [...]string{"starting", "idle", "asking", "ready", "leaving", "switching", "running", "ending"}[s]
}

// Config is what an administrator decided about logins.
type Config struct {
	Hostname string
	Servers  []string // host or host:port, in order
	Discover bool     // a probe may name more of them

	Session, ForceSession   string
	Language, ForceLanguage string

	Users []string // who may log in; empty for everybody

	OneSession string // what a login does about other sessions of the user; see wire.Login

	Automatic *Account // logs in by itself; nil for nobody
	Guest     *Account // logs in whoever asks; nil for nobody
	Timeout   int      // seconds of quiet before either logs in by itself

	Apps          *wire.Apps // what of the client a session may use; nil for nothing
	LogoutActions []string   // what it may ask for at its end: wire.Halt, wire.Reboot

	Notices []string // for the greeter's details
}

// Machine is the state of one seat. It is not safe for concurrent use: the seat
// feeds it one event after the other.
type Machine struct {
	config  Config
	state   state
	out     []Action
	down    bool // Shutdown was asked for
	x       part
	greeter part

	owner    ConnID  // whose login is under way
	login    LoginID // its worker, 0 when there is none
	last     LoginID
	owed     bool   // owner waits for a response
	progress bool   // owner wants to hear of progress
	asked    string // kind of the question that is open at the owner
	start    wire.Start
	screen   wire.Screen // the session's X server; meaningless before running
	begun    bool        // the session has started
	lost     string      // why the login that was ready is not any more

	user    string     // who logs in, as typed
	server  string     // that has authenticated it
	told    bool       // the worker was told to prepare it
	shown   bool       // the worker has the session's X server
	logout  string     // what it asked for at its end
	orderly bool       // the worker has said that the session has ended
	leave   *SwitchOff // what is to be done when it is gone; nil for nothing

	account  *Account // in whose name the login is; nil for a person
	answered bool     // its password was given
	texts    int      // that it was told
	stumbles int      // automatic logins that came to nothing, in a row

	known []wire.Server // what the probe told of the servers; nil for nothing
	found []string      // those of them that the administrator did not name

	dying  map[LoginID]bool // workers that were told to stop
	locals map[LoginID]bool // what was made ready on the client and is not gone
	notice string           // how the last session ended, for the next greeter
}

// New returns a machine whose first action, on the first call of Begin, is to
// start the X server.
func New(config Config) *Machine {
	return &Machine{config: config, dying: make(map[LoginID]bool), locals: make(map[LoginID]bool)}
}

// AtLogin reports whether somebody may log in: the greeter has the screen.
func (m *Machine) AtLogin() bool {
	return m.state == idle || m.state == asking || m.state == ready
}

// Begin returns the first actions.
func (m *Machine) Begin() []Action {
	m.x.run()
	return []Action{StartX{}}
}

// Handle takes one event and returns what to do about it, in order.
func (m *Machine) Handle(e Event) []Action {
	m.out = nil
	switch e := e.(type) {
	case XUp:
		m.xUp(e.Screen)
	case XGone:
		m.xGone(e.Err)
	case GreeterGone:
		m.greeterGone(e.Err)
	case Request:
		m.request(e.Conn, e.Request)
	case BadRequest:
		m.refuse(e.Conn, "The greeter sent something that makes no sense: "+e.Reason+".")
	case ConnGone:
		m.connGone(e.Conn)
	case FromWorker:
		m.fromWorker(e.Login, e.Message)
	case WorkerGone:
		m.workerGone(e.Login, e.Err)
	case LocalUp:
		m.localUp(e.Login, e.Sound)
	case LocalGone:
		m.localGone(e.Login)
	case Servers:
		m.watched(e.List)
	case AbortKey:
		m.abortKey()
	case Shutdown:
		m.down = true
		m.end()
	}
	if m.state == ending {
		m.wind()
	}
	return m.out
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

func (m *Machine) report(bad bool, text string, cause error) {
	r := Report{Login: m.login, Bad: bad, Text: text}
	if cause != nil {
		r.Detail = cause.Error()
	}
	m.do(r)
}

func (m *Machine) xUp(screen wire.Screen) {
	switch m.state {
	case starting:
		m.state = idle
		m.startGreeter(0)
	case switching:
		m.state, m.screen = running, screen
		m.show()
	}
}

func (m *Machine) startX(after time.Duration, session bool) {
	m.x.run()
	m.do(StartX{After: after, Session: session})
}

func (m *Machine) startGreeter(after time.Duration) {
	m.greeter.run()
	m.do(StartGreeter{After: after})
}

func (m *Machine) xGone(err error) {
	asked := m.x.stopping
	m.x.gone()
	if asked {
		if m.state == switching {
			m.startX(0, true)
		}
		return
	}
	m.x.failures++
	m.report(true, "the X server ended", err)
	m.do(Announce{Text: fmt.Sprintf("The X server ended: %v. Trying again.", err)})
	hung := errors.Is(err, pulse.ErrHung)
	switch {
	case m.state == leaving: // the session does not need this one
		m.stop(&m.greeter, StopGreeter{})
		return
	case m.state == switching:
		m.notice = "The screen's X server could not be started for your session. Log in again; the log says more."
	case m.state == running && hung:
		m.notice = "The screen's X server stopped answering, which ended your session."
	case m.state == running:
		m.notice = "The screen's X server stopped, which ended your session."
	case hung:
		m.notice = "The screen's X server stopped answering and was started anew."
	}
	if m.state == running || m.state == switching {
		m.stumbled()
	}
	m.end()
}

// switchX gives the session an X server on which nothing of the greeter's has ever been. The
// old one ends first, since two of them cannot share a screen.
func (m *Machine) switchX() {
	m.state = switching
	if m.x.alive {
		m.stop(&m.x, StopX{})
	} else {
		m.startX(0, true)
	}
}

func (m *Machine) greeterGone(err error) {
	asked := m.greeter.stopping
	m.greeter.gone()
	switch m.state {
	case leaving:
		m.switchX()
		return
	case starting, switching, running, ending:
		return
	}
	if !m.x.alive { // it ended as the greeter left for a session that then came to nothing
		m.end()
		return
	}
	// A login of its own ends with its connection, not here.
	if !asked {
		m.report(true, "the greeter ended", err)
	}
	if errors.Is(err, pulse.ErrHung) {
		m.notice = "The login screen stopped answering and was started anew."
	}
	pause := m.greeter.pause()
	m.greeter.failures++
	if pause > 0 {
		m.do(Announce{Text: fmt.Sprintf("The login screen ended: %v. Starting it again in %v.", err, pause)})
	}
	m.startGreeter(pause)
}

// end takes everything down; wind then says when it is.
func (m *Machine) end() {
	if m.login != 0 {
		m.abort("The seat is being restarted.")
	}
	m.state = ending
	m.watched(nil) // what is known now will be old
}

// wind goes down in order: the session first, so that it can say goodbye to the
// server, then the greeter, then the X server under them. What a session wanted
// at its end comes once nothing of it is left.
func (m *Machine) wind() {
	if len(m.dying) > 0 || len(m.locals) > 0 {
		return
	}
	if m.leave != nil && !m.down {
		m.do(*m.leave)
	}
	m.leave = nil
	switch {
	case m.greeter.alive:
		m.stop(&m.greeter, StopGreeter{})
	case m.x.alive:
		m.stop(&m.x, StopX{})
	case m.down:
		m.do(Exit{})
	default:
		m.state = starting
		m.startX(m.x.pause(), false)
	}
}

func (m *Machine) stop(p *part, how Action) {
	if !p.stopping {
		p.stopping = true
		m.do(how)
	}
}

// abort ends the login that is under way, with a sentence for its owner should
// one be waiting.
func (m *Machine) abort(sentence string) {
	if m.owed {
		m.reply(&greetd.Error{Type: greetd.OtherError, Description: sentence})
	}
	m.dismiss()
	m.owner, m.login, m.asked = 0, 0, ""
	if m.state != ending {
		m.state = idle
	}
}

// reply gives the owner the response it waits for.
func (m *Machine) reply(r greetd.Response) {
	m.owed = false
	m.do(Reply{Conn: m.owner, Response: r})
}

// refuse answers a request that cannot be met.
func (m *Machine) refuse(c ConnID, sentence string) {
	m.do(Reply{Conn: c, Response: &greetd.Error{Type: greetd.OtherError, Description: sentence}})
}

// harmless makes a server's text fit for a screen and for a frame.
func harmless(s string) string { return text.Harmless(s, maxText) }
