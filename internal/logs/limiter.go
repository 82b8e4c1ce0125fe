package logs

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates say how many lines pass a Limiter.
type Rates struct {
	Burst int           // lines of a kind that pass at once
	Every time.Duration // after which one more of the kind passes
	Kinds int           // that are told apart; the kinds beyond share one allowance
}

var (
	// Own are the rates of what a program of ours says itself.
	Own = Rates{Burst: 100, Every: 2 * time.Second, Kinds: 256}

	// Login are the rates of what is said of one login's programs, so that one login
	// does not use up what the next one may say.
	Login = Rates{Burst: 50, Every: 4 * time.Second, Kinds: 64}

	// Framed are the rates, by message, of frames from one child. A child of ours
	// keeps the lower rates of Own itself: these meet one that was taken over.
	Framed = Rates{Burst: 100, Every: time.Second, Kinds: 64}

	// Plain are the rates of lines from one foreign child, which are of one kind.
	Plain = Rates{Burst: 200, Every: 2 * time.Second, Kinds: 1}

	// children are the rates of what all children of one name say: some user may
	// have ldm start one child after another.
	children = Rates{Burst: 1000, Every: 500 * time.Millisecond, Kinds: 64}
)

// maxKind bounds what is kept of a kind's name, in bytes.
const maxKind = 200

// Limiter lets a bounded number of lines pass. Its methods may be called from
// several goroutines, and its memory does not grow with the number of kinds.
type Limiter struct {
	rates Rates
	tell  func(kind string, number int)

	mu     sync.Mutex
	closed bool
	kinds  map[string]*allowance
	others *allowance  // of the kinds beyond Rates.Kinds
	timer  *time.Timer // nil unless some number is to be told
	timers sync.WaitGroup
}

// allowance is what one kind of lines has left.
type allowance struct {
	tokens *rate.Limiter
	left   int // lines left out that nobody was told of
}

// NewLimiter returns a limiter that calls tell with the number of lines that it
// left out: when a line of the kind passes again, at the latest after Rates.Every,
// and at Close. The kind is empty for those beyond Rates.Kinds.
func NewLimiter(r Rates, tell func(kind string, number int)) *Limiter {
	l := &Limiter{rates: r, tell: tell, kinds: make(map[string]*allowance)}
	l.others = l.allowance()
	return l
}

func (l *Limiter) allowance() *allowance {
	return &allowance{tokens: rate.NewLimiter(rate.Every(l.rates.Every), l.rates.Burst)}
}

// Take reports whether a line of a kind may pass now. It counts a line that may not.
func (l *Limiter) Take(kind string) bool {
	now := time.Now()
	l.mu.Lock()
	if l.closed { // the program ends, and nothing could tell the number any more
		l.mu.Unlock()
		return true
	}
	name, a := l.find(kind[:min(len(kind), maxKind)], now)
	passes, number := a.tokens.AllowN(now, 1), 0
	if passes {
		number, a.left = a.left, 0
	} else {
		a.left++
		l.arm()
	}
	l.mu.Unlock()
	if number > 0 {
		l.tell(name, number)
	}
	return passes
}

// find returns the allowance of a kind, and its name; under the lock.
func (l *Limiter) find(kind string, now time.Time) (string, *allowance) {
	a := l.kinds[kind]
	if a == nil && len(l.kinds) >= l.rates.Kinds {
		l.forget(now)
	}
	if a == nil && len(l.kinds) < l.rates.Kinds {
		a = l.allowance()
		l.kinds[kind] = a
	}
	if a == nil {
		return "", l.others
	}
	return kind, a
}

// forget drops the kinds that a new one would differ from in nothing; under the lock.
func (l *Limiter) forget(now time.Time) {
	for kind, a := range l.kinds {
		if a.left == 0 && a.tokens.TokensAt(now) >= float64(l.rates.Burst) {
			delete(l.kinds, kind)
		}
	}
}

// arm has the numbers told after a while; under the lock.
func (l *Limiter) arm() {
	if l.timer != nil {
		return
	}
	l.timers.Add(1)
	l.timer = time.AfterFunc(max(l.rates.Every, tellEvery), func() {
		defer l.timers.Done()
		l.mu.Lock()
		l.timer = nil
		numbers := l.take()
		l.mu.Unlock()
		l.say(numbers)
	})
}

// tellEvery is the least time between two numbers of one kind, where no line
// of it passes in between.
const tellEvery = 5 * time.Second

// take returns the numbers that are to be told, and forgets them; under the lock.
func (l *Limiter) take() map[string]int {
	numbers := make(map[string]int)
	if l.others.left > 0 {
		numbers[""], l.others.left = l.others.left, 0
	}
	for kind, a := range l.kinds {
		if a.left > 0 {
			numbers[kind], a.left = a.left, 0
		}
	}
	return numbers
}

func (l *Limiter) say(numbers map[string]int) {
	for kind, number := range numbers {
		l.tell(kind, number)
	}
}

// Close tells the numbers that nobody was told of, and ends the limiter. Lines
// that come later pass.
func (l *Limiter) Close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil && l.timer.Stop() {
		l.timers.Done()
	}
	numbers := l.take()
	l.mu.Unlock()
	l.timers.Wait()
	l.say(numbers)
}
