package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/server-agent/cluster"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

const (
	maxPeers     = 8192 // connections at once, of which each session has one
	maxPeersUser = 128  // of one user
	idle         = time.Minute

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

	mu       sync.Mutex
	closing  bool
	peers    map[*peer]bool
	users    map[int]int      // connections by uid
	refused  map[int]bool     // uids of which the log says that they have too many
	sessions map[string]*peer // by ID
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
	return &Server{
		config:   c,
		drain:    drain{path: c.DrainFile},
		peers:    make(map[*peer]bool),
		users:    make(map[int]int),
		refused:  make(map[int]bool),
		sessions: make(map[string]*peer),
	}
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
	defer s.tasks.Wait()
	defer s.close()
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ECONNABORTED):
			s.config.Log.Warn("a session was not heard", "err", err)
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

// admit lets a peer in, if it does not have too many connections.
func (s *Server) admit(conn net.Conn) *peer {
	uid, err := peerUID(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.closing || s.isFull(uid) {
		s.complain(uid, err)
		conn.Close()
		return nil
	}
	p := &peer{server: s, conn: conn, uid: uid}
	s.peers[p] = true
	s.users[uid]++
	return p
}

// isFull tells whether there is no room for one more connection of a user's; under the lock.
func (s *Server) isFull(uid int) bool {
	return len(s.peers) >= maxPeers || uid != 0 && s.users[uid] >= maxPeersUser
}

// complain logs that a connection is refused, once as long as its user has others: a user
// must not fill the log. Under the lock.
func (s *Server) complain(uid int, err error) {
	if s.refused[uid] || s.closing {
		return
	}
	s.refused[uid] = s.users[uid] > 0
	s.config.Log.Warn("connections of a user are refused", "uid", uid, "open", s.users[uid], "all", len(s.peers), "err", err)
}

// dismiss forgets a peer, and its session.
func (s *Server) dismiss(p *peer) {
	p.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p)
	if s.users[p.uid]--; s.users[p.uid] == 0 {
		delete(s.users, p.uid)
		delete(s.refused, p.uid)
	}
	if p.id != "" {
		delete(s.sessions, p.id)
	}
}

// reserve gives a session's ID to a peer, if nobody has it.
func (s *Server) reserve(p *peer, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case p.id != "":
		return errors.New("this connection has a session already")
	case s.sessions[id] != nil:
		return errors.New("another connection has this session")
	}
	p.id = id
	s.sessions[id] = p
	return nil
}

// leaves says that a session ends, which its user has on another connection.
func (s *Server) leaves(p *peer, id string) error {
	s.mu.Lock()
	owner := s.sessions[id]
	s.mu.Unlock()
	if owner == nil || owner.uid != p.uid {
		return fmt.Errorf("no session %.64q of yours", id)
	}
	s.cluster.Leave(id)
	return nil
}

// release takes it back.
func (s *Server) release(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, p.id)
	p.id = ""
}

// peerUID returns the user at the other end.
func peerUID(conn net.Conn) (int, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return -1, fmt.Errorf("%T is not a Unix socket", conn)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid := -1
	var failed error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); failed == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, failed)
}
