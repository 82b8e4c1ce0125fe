package server

import (
	"errors"
	"fmt"
	"net"

	whose "goldm/internal/peer"
	"goldm/server-agent/control"
)

const (
	// MaxWaiting bounds the connections at once that have no session: commands and logins, which
	// last for moments.
	MaxWaiting = 512

	// MaxSessions bounds the sessions, each of which keeps a connection, and maxSessionsUser those
	// of one user: an account that all visitors share has one for each client.
	MaxSessions     = 2048
	maxSessionsUser = 128

	// maxAnswers bounds the long answers that one user's peers are being sent, each of which has
	// MaxReply bytes at most and may take its time. Those of root may be of all sessions.
	maxAnswers = 2
)

// What one of these takes at most, in bytes.
const (
	PeerMemory    = 16 << 10 // two goroutines, a line, and what the user is told
	sessionMemory = 8 << 10  // in the cluster's records, here and to be written
	nameMemory    = 1 << 10

	// greedy is how many users are thought to have all their long answers sent at a time.
	greedy       = 8
	answerMemory = 2 * control.MaxReply // as it is, and in JSON
)

// MaxMemory is what the daemon's socket takes at most, in bytes.
const MaxMemory = (MaxWaiting+MaxSessions)*PeerMemory + MaxSessions*sessionMemory + maxNames*nameMemory + greedy*maxAnswers*answerMemory

// nobody is the account of all users that have no name: the numbers that a user may give to
// programs of a user namespace (newuidmap(1)) are 65,536, and count as one user.
const nobody = -1

// admit lets a peer in, which may have to go when others want its place.
func (s *Server) admit(conn net.Conn) *peer {
	at, err := whose.Of(conn)
	if err != nil {
		s.refusals.Add("a known user", "err", err)
		conn.Close()
		return nil
	}
	account := nobody
	if s.names.isKnown(at.UID) {
		account = at.UID
	}
	p := &peer{server: s, conn: conn, Peer: at, account: account}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		conn.Close()
		return nil
	}
	s.peers[p] = true
	p.wait()
	return p
}

// wait gives the peer a place among those that have no session. Under the server's lock.
func (p *peer) wait() {
	p.place = p.server.waiting.Take(p.account, func() {
		p.server.refusals.Add("places without a session", "uid", p.UID, "pid", p.PID, "program", p.Program())
		p.conn.Close()
	})
}

// belongsTo moves the peer to its user's account, once that has a name.
func (s *Server) belongsTo(p *peer, account int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.account == account {
		return
	}
	p.account = account
	if p.id == "" && p.place.Leave() {
		p.wait()
	}
}

// reserve gives a session's ID to a peer, if nobody has it and there is room.
func (s *Server) reserve(p *peer, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case p.id != "":
		return errors.New("this connection has a session already")
	case s.sessions[id] != nil:
		return errors.New("another connection has this session")
	}
	if err := s.makeRoom(p.account); err != nil {
		s.refusals.Add("sessions of a user", "uid", p.UID, "user", p.user, "err", err)
		return err
	}
	p.place.Leave()
	p.id = id
	s.sessions[id] = p
	p.counted = true
	s.counted++
	s.held[p.account]++
	return nil
}

// makeRoom makes room for one more session of an account. Where there are too many in all, the
// account with the most loses a connection, whose session goes on. Under the lock.
func (s *Server) makeRoom(account int) error {
	if s.held[account] >= maxSessionsUser {
		return fmt.Errorf("%d sessions of one user are enough", maxSessionsUser)
	}
	if s.counted < MaxSessions {
		return nil
	}
	richest, most := account, s.held[account]+1
	for other, n := range s.held {
		if n > most {
			richest, most = other, n
		}
	}
	if richest == account {
		return errors.New("this server has too many sessions")
	}
	for _, p := range s.sessions {
		if p.counted && p.account == richest {
			s.refusals.Add("sessions of all users", "uid", p.UID, "user", p.user)
			s.discount(p)
			p.conn.Close() // and the peer leaves
			break
		}
	}
	return nil
}

// discount takes the peer's session out of the count. Under the lock.
func (s *Server) discount(p *peer) {
	if !p.counted {
		return
	}
	p.counted = false
	s.counted--
	if s.held[p.account]--; s.held[p.account] == 0 {
		delete(s.held, p.account)
	}
}

// forget takes its session from a peer. Under the lock.
func (s *Server) forget(p *peer) {
	s.discount(p)
	if p.id != "" {
		delete(s.sessions, p.id)
		p.id = ""
	}
}

// release takes back what reserve gave.
func (s *Server) release(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.id != "" {
		s.forget(p)
		p.wait()
	}
}

// begin begins a long answer to a peer, which is to be told when it has been sent.
func (s *Server) begin(p *peer) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := p.account
	if s.answers[account] >= maxAnswers {
		return nil, errors.New("too many questions at once: ask again")
	}
	s.answers[account]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.answers[account]--; s.answers[account] == 0 {
			delete(s.answers, account)
		}
	}, nil
}

// dismiss forgets a peer, and its session.
func (s *Server) dismiss(p *peer) {
	p.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	p.place.Leave()
	s.forget(p)
	delete(s.peers, p)
}
