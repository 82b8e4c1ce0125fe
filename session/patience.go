package session

import (
	"errors"
	"sync"
	"time"
)

// The causes of a connection that patience or the keepalive closed.
var (
	errHandshake = errors.New("no authentication within the limit")
	errTurn      = errors.New("no answer to a step of the authentication within the limit")
	errSilent    = errors.New("nothing heard within the limit")
)

// patience limits how long a server may take during a login. The time in which
// the person reads and types does not count.
type patience struct {
	line *line

	mu       sync.Mutex
	timer    *time.Timer
	turn     time.Duration // the limit of a turn; 0 during the handshake
	deadline time.Time
	over     bool
}

// newPatience allows the handshake so much time from now.
func newPatience(l *line, handshake time.Duration) *patience {
	p := &patience{line: l, deadline: time.Now().Add(handshake)}
	p.timer = time.AfterFunc(handshake, p.expire)
	return p
}

func (p *patience) expire() {
	p.mu.Lock()
	why := errHandshake
	if p.turn > 0 {
		why = errTurn
	}
	p.mu.Unlock()
	p.line.fail(why)
}

// authenticate ends the limit of the handshake and allows each of the server's
// turns so much time.
func (p *patience) authenticate(turn time.Duration) {
	p.mu.Lock()
	p.turn = turn
	p.mu.Unlock()
	p.newTurn()
}

// newTurn gives the server its full limit.
func (p *patience) newTurn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.deadline = time.Now().Add(p.turn)
		p.timer.Reset(p.turn)
	}
}

// stop ends all limits.
func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.over = true
}

// rest runs a step that may be the person's, for which the clock stands still.
func (p *patience) rest(step func()) {
	p.mu.Lock()
	p.timer.Stop()
	left := time.Until(p.deadline)
	p.mu.Unlock()
	step()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.deadline = time.Now().Add(left)
		p.timer.Reset(left)
	}
}
