package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	whose "goldm/internal/peer"
	"goldm/server-agent/cluster"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

const (
	idle = time.Minute // for a peer without a session

	// replaceLimit bounds a login that ends others first, and endLimit one such end:
	// a session has 15 seconds to end before it is killed.
	replaceLimit = time.Minute
	endLimit     = 35 * time.Second
)

// Config says what the daemon answers with.
type Config struct {
	Name      string // of this server in the cluster
	DrainFile string // empty for control.DrainFile

	// User returns the name of a user; nil to ask the system.
	User func(ctx context.Context, uid int) (string, error)

	Login   func(result string, took time.Duration) // counts a login; nil for nobody
	Changed func()                                  // the server was drained, or not any more; nil for nobody
	Log     *slog.Logger
}

// Server is the daemon's side.
type Server struct {
	config  Config
	drain   drain
	cluster *cluster.Cluster
	tasks   sync.WaitGroup

	names    *names
	waiting  *whose.Queue[int] // the peers without a session, by account
	refusals *whose.Refusals

	mu       sync.Mutex
	closing  bool
	peers    map[*peer]bool
	sessions map[string]*peer // by ID
	counted  int              // sessions, without those whose connection is being closed
	held     map[int]int      // of these, by account
	answers  map[int]int      // long ones that are being sent, by account
}

// New returns a server, which Run starts.
func New(c Config) *Server {
	if c.DrainFile == "" {
		c.DrainFile = control.DrainFile
	}
	if c.User == nil {
		c.User = sessions.UserName
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		config:   c,
		drain:    drain{path: c.DrainFile},
		waiting:  whose.NewQueue[int](MaxWaiting),
		refusals: whose.NewRefusals(c.Log),
		peers:    make(map[*peer]bool),
		sessions: make(map[string]*peer),
		held:     make(map[int]int),
		answers:  make(map[int]int),
	}
	s.names = newNames(c.User, &s.tasks)
	return s
}

// Drained tells whether new logins shall go elsewhere.
func (s *Server) Drained() bool { return !s.drain.get().IsZero() }

// End tells a session that it shall end; it does not block. It is for cluster.Config.
func (s *Server) End(id, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.sessions[id]; p != nil && !s.closing {
		s.tasks.Go(func() {
			if err := p.send(&control.Ending{By: by}); err != nil {
				s.config.Log.Warn("a session is not told to end", "session", id, "err", err)
			}
		})
	}
}

// Run answers on a Unix socket, which it closes, until ctx ends.
func (s *Server) Run(ctx context.Context, l net.Listener, c *cluster.Cluster) error {
	s.cluster = c
	ctx, cancel := context.WithCancel(ctx)
	defer s.refusals.Close()
	defer s.tasks.Wait()
	defer s.close()
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case whose.Passes(err):
			s.refusals.Add("accept", "err", err)
			s.waiting.Shed()
			time.Sleep(10 * time.Millisecond) // until there are descriptors again
			continue
		case err != nil:
			return fmt.Errorf("control socket: %w", err)
		}
		if p := s.admit(conn); p != nil {
			s.tasks.Go(func() { p.run(ctx) })
		}
	}
}

// close ends all connections.
func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for p := range s.peers {
		p.conn.Close()
	}
}

// leaves says that a session ends, which its user has on another connection.
func (s *Server) leaves(p *peer, id string) error {
	s.mu.Lock()
	owner := s.sessions[id]
	s.mu.Unlock()
	if owner == nil || owner.UID != p.UID {
		return fmt.Errorf("no session %.64q of yours", id)
	}
	s.cluster.Leave(id)
	return nil
}
