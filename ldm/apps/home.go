package apps

import (
	"fmt"
	"path/filepath"
)

// Home is a home that is mounted in the room.
type Home interface {
	Path() string
	Env() []string         // with which programs find it
	Done() <-chan struct{} // closed when it is lost
	Close()                // unmounts it; may be called more than once
}

// attempt is one try to have a home; others wait for it.
type attempt struct {
	done chan struct{}
	home Home
	err  error
}

// lost reports whether a home is not to be used any more.
func lost(h Home) bool {
	select {
	case <-h.Done():
		return true
	default:
		return false
	}
}

// haveHome returns the home for a program: the one that there is, or a new one
// in place of one that was lost or could not be had before.
func (a *Apps) haveHome() (Home, error) {
	a.mu.Lock()
	try := a.home
	mine := try == nil || try.over()
	if mine {
		try = &attempt{done: make(chan struct{})}
		old := a.home
		a.home = try
		a.mu.Unlock()
		if old != nil {
			old.close()
		}
		try.home, try.err = a.makeHome()
		close(try.done)
	} else {
		a.mu.Unlock()
	}
	<-try.done
	return try.home, try.err
}

// over reports whether an attempt has failed, or its home is lost.
func (t *attempt) over() bool {
	select {
	case <-t.done:
		return t.err != nil || lost(t.home)
	default:
		return false
	}
}

// close closes the home of an attempt, if it has brought one by now.
func (t *attempt) close() {
	select {
	case <-t.done:
		if t.err == nil {
			t.home.Close()
		}
	default:
	}
}

// makeHome mounts the home, or makes an empty one where none is to be mounted,
// and puts it into the user's record, where programs look too.
func (a *Apps) makeHome() (home Home, err error) {
	if a.config.Home != nil {
		home, err = a.config.Home(a.ctx, a.place.Place)
	} else {
		home, err = makeEmpty(a.place)
	}
	if err != nil {
		return nil, err
	}
	if err := a.place.User.SetHome(home.Path()); err != nil {
		a.log.Warn("the user record has another home", "cause", err)
	}
	return home, nil
}

// empty is a home that goes with the room.
type empty string

func makeEmpty(f *furnished) (Home, error) {
	path := filepath.Join(f.Room.Runtime(), "home")
	if err := f.makeFolder(path); err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	return empty(path), nil
}

func (e empty) Path() string          { return string(e) }
func (e empty) Env() []string         { return []string{"HOME=" + string(e)} }
func (e empty) Done() <-chan struct{} { return nil }
func (e empty) Close()                {}
