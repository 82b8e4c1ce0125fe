package login

import "time"

// part is the X server or the greeter: something that runs as long as the seat
// does and is started again when it fails.
type part struct {
	alive    bool // started, or about to be
	stopping bool // was told to stop
	failures int  // since somebody last tried to log in
}

func (p *part) run()  { p.alive, p.stopping = true, false }
func (p *part) gone() { p.alive, p.stopping = false, false }

// pause is how long to wait before the next start: nothing after the first
// failure, then 1 s, 2 s, 4 s … up to 30 s.
func (p *part) pause() time.Duration {
	if p.failures <= 1 {
		return 0
	}
	return min(time.Second<<min(p.failures-2, 10), 30*time.Second)
}
