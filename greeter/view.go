package greeter

import (
	"strings"
	"unicode/utf8"

	"goldm/internal/text"
)

// Entry says how the entry field behaves.
type Entry int

const (
	Locked  Entry = iota // nothing can be typed
	Visible              // what is typed is shown
	Secret               // what is typed shows as dots
)

// Kind says what a Message is about.
type Kind int

const (
	Info Kind = iota
	Trouble
)

// Message is text to show above the entry field.
type Message struct {
	Kind Kind
	Text string
}

// View is all that the login screen shows. Its texts are harmless and bounded,
// may have several lines in Messages, and are never markup.
type View struct {
	Title   string // this client's host name
	Servers string // where a login goes
	Choice  bool   // whether ServerTurned goes to another server
	Guest   bool   // whether GuestAsked begins a guest's session
	User    string // who logs in; empty while that is being asked
	Label   string // what the entry field is for; empty where there is nothing to type

	Entry Entry
	// Turn changes when the entry field is to be filled anew with Text, as a
	// suggestion that typing replaces.
	Turn int
	Text string

	Messages []Message
	Status   string   // what is being waited for, while that takes long, or begins by itself
	Busy     bool     // whether to show that something moves
	Hint     string   // which keys do what
	Notices  []string // what an administrator should know
}

// Bounds of what a server or the daemon can put on the screen, in runes and
// pieces.
const (
	maxLine     = 200
	maxMessage  = 3000
	maxMessages = 12
	maxText     = 6000 // of all messages; what is older gives way
	maxNotices  = 3
)

const nameLabel = "User name"

// View returns what the screen shows now.
func (m *Model) View() View {
	return View{
		Title:    m.seat.title,
		Servers:  m.seat.where(),
		Choice:   m.state == naming && m.seat.choice(),
		Guest:    m.state == naming && m.seat.guest,
		User:     m.user(),
		Label:    m.label,
		Entry:    m.entry(),
		Turn:     m.turn,
		Text:     m.suggestion(),
		Messages: m.messages,
		Status:   m.status(),
		Busy:     m.status() != "" && m.state != naming && m.state != reading,
		Hint:     m.hint(),
		Notices:  m.notes(),
	}
}

func (m *Model) user() string {
	if m.state == naming {
		return ""
	}
	return text.Line(m.who, maxLine)
}

func (m *Model) entry() Entry {
	switch m.state {
	case naming:
		return Visible
	case asking:
		return m.answer
	}
	return Locked
}

// suggestion is the name of the last try, which a person with a mistyped
// password wants back.
func (m *Model) suggestion() string {
	if m.state == naming {
		return m.name
	}
	return ""
}

func (m *Model) status() string {
	switch {
	case m.state == naming:
		return m.countdown()
	case m.state == broken:
		return "The login screen starts again in a moment."
	case m.state == reading:
		return "Press Enter to continue."
	case m.state != waiting && m.state != starting || !m.slow:
		return ""
	case m.progress != "":
		return m.progress
	case m.state == starting:
		return "The session starts …"
	}
	return "One moment …"
}

func (m *Model) hint() string {
	switch m.state {
	case naming:
		return m.namingHint()
	case asking:
		return "Enter: continue · Esc: start again"
	case waiting:
		return "Esc: cancel"
	case reading:
		return "Enter: continue · Esc: cancel"
	}
	return ""
}

func (m *Model) namingHint() string {
	hint := "Enter: continue"
	if m.seat.guest {
		hint += " · F2: guest"
	}
	if m.seat.choice() {
		hint += " · F3: server"
	}
	return hint
}

func (m *Model) notes() []string {
	if m.state == naming {
		return m.seat.notices
	}
	return nil
}

// add shows one more message below those that nobody has answered yet.
func (m *Model) add(kind Kind, s string) {
	if s = strings.TrimSpace(text.Harmless(s, maxMessage)); s == "" {
		return
	}
	m.messages = append(m.messages, Message{kind, s})
	for len(m.messages) > maxMessages || runes(m.messages) > maxText {
		m.messages = m.messages[1:]
	}
}

func runes(messages []Message) int {
	n := 0
	for _, m := range messages {
		n += utf8.RuneCountInString(m.Text)
	}
	return n
}

// ask makes s the label of the entry field. PAM's texts come glued in front of
// the prompt, in lines of their own: these are messages.
func (m *Model) ask(s string) {
	s = strings.TrimSpace(text.Harmless(s, maxMessage))
	before, last := "", s
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		before, last = s[:i], s[i+1:]
	}
	m.add(Info, before)
	m.label = text.Line(strings.TrimSpace(last), maxLine)
	if m.label == "" {
		m.label = "Answer"
	}
}
