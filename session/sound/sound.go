package sound

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/session"
)

const (
	// patience is how long a session's start may wait for its sound.
	patience = 2 * time.Second

	// removeWithin is how long a session's end may.
	removeWithin = time.Second

	// maxPrograms bounds the programs that make a sound, or may, at a time: those that have shown
	// the cookie. maxStrangers bounds those that have not.
	maxPrograms  = 64
	maxStrangers = 32
)

// Sound is the sound of a session. A nil *Sound is that of a session without.
type Sound struct {
	client *session.Client
	log    *slog.Logger
	env    map[string]string // nil without sound
	tasks  sync.WaitGroup

	mu     sync.Mutex
	folder *folder // nil where there is none, or another removes it
}

// Start offers a daemon to the programs of a session. It returns after a moment in
// any case; what goes wrong is logged, since a session without sound is better
// than none. Remove and Close have to follow.
func Start(ctx context.Context, client *session.Client, daemon Daemon, log *slog.Logger) *Sound {
	s := &Sound{client: client, log: log}
	ready := make(chan map[string]string, 1)
	// Not with the limit of patience: an SSH request that is given up takes the
	// connection with it.
	s.tasks.Go(func() { ready <- s.offer(ctx, daemon) })
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s.env = <-ready:
	case <-timer.C:
		log.Warn("no sound: the server takes too long to prepare it")
	case <-ctx.Done():
	}
	return s
}

// offer makes the folder and has the server listen in it; it returns the
// environment, or nil.
func (s *Sound) offer(ctx context.Context, daemon Daemon) map[string]string {
	cookie := make([]byte, cookieSize)
	rand.Read(cookie)
	f, err := makeFolder(ctx, s.client, cookie)
	if err != nil {
		s.complain(ctx, err)
		return nil
	}
	s.mu.Lock()
	s.folder = f
	s.mu.Unlock()
	b := newBridge(daemon, cookie, s.log)
	err = s.client.ForwardUnix(session.UnixForward{
		Path:  f.socket(),
		Limit: maxPrograms + 4*maxStrangers, // those that are being closed included
		Serve: func(ctx context.Context, program ssh.Channel) { b.serve(ctx, program) },
	})
	if err != nil {
		s.complain(ctx, err)
		s.Remove()
		return nil
	}
	return f.env()
}

func (s *Sound) complain(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, session.ErrNoSockets):
		s.log.Warn("no sound: sshd on the server needs AllowStreamLocalForwarding yes")
	default:
		s.log.Warn("no sound: the server could not be prepared", "err", err)
	}
}

// Env returns the variables with which programs on the server find the sound; nil
// where there is none.
func (s *Sound) Env() map[string]string {
	if s == nil {
		return nil
	}
	return s.env
}

// take returns the folder for the caller to decide on; nil where there is nothing to.
func (s *Sound) take() *folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folder
	s.folder = nil
	return f
}

// LeaveTo leaves what lies on the server to the session's agent, which learns of it
// from Env, once the agent is there. A session that was cut off ends a minute later
// then; sshd may take hours to notice.
func (s *Sound) LeaveTo(agent <-chan struct{}) {
	if s.Env() == nil {
		return
	}
	s.tasks.Go(func() {
		select {
		case <-agent:
			if f := s.take(); f != nil {
				f.keep()
			}
		case <-s.client.Done():
		}
	})
}

// Remove removes what was made on the server, while the connection still stands,
// and does not take long. Without the connection it goes with that.
func (s *Sound) Remove() {
	if s == nil {
		return
	}
	if f := s.take(); f != nil {
		f.remove(removeWithin)
	}
}

// Close waits for what Start began. The client has to be closed.
func (s *Sound) Close() {
	if s == nil {
		return
	}
	s.tasks.Wait()
	if f := s.take(); f != nil {
		close(f.word)
	}
}
