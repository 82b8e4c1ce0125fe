package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"goldm/internal/x11"
	"goldm/test/bench/xclient"
)

// screen is the client's display as a window manager without frames sees it: it
// grants what programs want, so that none waits for an answer, and knows when a
// window appeared.
type screen struct {
	conn *xclient.Conn
	done chan struct{}

	mu     sync.Mutex
	shown  map[uint32]time.Time // since when; without menus and the like
	change chan struct{}        // closed at the next one
	err    error
}

func manage(conn net.Conn) (*screen, error) {
	c, err := xclient.New(conn, "", nil)
	if err != nil {
		return nil, err
	}
	if err := c.Listen(c.Root, xclient.SubstructureRedirectMask|xclient.SubstructureNotifyMask); err != nil {
		return nil, err
	}
	if err := c.RoundTrip(); err != nil {
		return nil, err
	}
	s := &screen{conn: c, done: make(chan struct{}), shown: make(map[uint32]time.Time), change: make(chan struct{})}
	go s.run()
	return s, nil
}

func (s *screen) run() {
	defer close(s.done)
	for {
		event, err := s.conn.Event()
		if x, ok := err.(*xclient.Error); ok && x != nil {
			continue // about a window that has gone meanwhile
		}
		if err == nil {
			err = s.handle(event, time.Now())
		}
		if err != nil {
			s.update(func() { s.err = fmt.Errorf("window manager: %w", err) })
			return
		}
	}
}

func (s *screen) handle(event []byte, now time.Time) error {
	window := xclient.Subject(event)
	switch x11.Kind(event) {
	case xclient.MapRequest:
		if err := s.conn.Map(window); err != nil {
			return err
		}
		return s.conn.Flush()
	case xclient.ConfigureRequest:
		if err := s.conn.GrantConfigure(event); err != nil {
			return err
		}
		return s.conn.Flush()
	case xclient.MapNotify:
		if !xclient.OverrideRedirect(event) {
			s.update(func() { s.shown[window] = now })
		}
	case xclient.UnmapNotify, xclient.DestroyNotify:
		s.update(func() { delete(s.shown, window) })
	}
	return nil
}

func (s *screen) update(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.change)
	s.change = make(chan struct{})
}

// wait waits until what is shown is as wanted.
func (s *screen) wait(ctx context.Context, what string, wanted func(shown map[uint32]time.Time) bool) error {
	for {
		s.mu.Lock()
		ok, err, change := wanted(s.shown), s.err, s.change
		s.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
	}
}

// appeared waits for a window and returns since when it is there.
func (s *screen) appeared(ctx context.Context) (window uint32, at time.Time, err error) {
	err = s.wait(ctx, "no window appeared", func(shown map[uint32]time.Time) bool {
		for _, w := range slices.Sorted(maps.Keys(shown)) {
			if at.IsZero() || shown[w].Before(at) {
				window, at = w, shown[w]
			}
		}
		return len(shown) > 0
	})
	return window, at, err
}

// empty waits until no window is left.
func (s *screen) empty(ctx context.Context) error {
	return s.wait(ctx, "a window stays", func(shown map[uint32]time.Time) bool { return len(shown) == 0 })
}

func (s *screen) close() {
	s.conn.Close()
	<-s.done
}
