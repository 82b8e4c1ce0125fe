package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	whose "goldm/internal/peer"
	"goldm/internal/tagged"
	"goldm/server-agent/cluster"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
)

// peer is one connection to the daemon.
type peer struct {
	whose.Peer
	server *Server
	conn   net.Conn
	user   string // known once it was asked for

	// Under the server's lock.
	id      string            // of its session
	counted bool              // its session is
	account int               // by which the peer is counted: its user, or nobody
	place   *whose.Place[int] // where it waits without a session

	write sync.Mutex
}

// send writes one message; answers and endings may come at once.
func (p *peer) send(m control.Message) error {
	p.write.Lock()
	defer p.write.Unlock()
	if err := p.conn.SetWriteDeadline(time.Now().Add(control.WriteLimit)); err != nil {
		return err
	}
	return control.Write(p.conn, m, control.MaxReply)
}

// run answers until the peer goes, which ends what it waits for.
func (p *peer) run(stop context.Context) {
	ctx, cancel := context.WithCancel(stop)
	requests := make(chan control.Message)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer p.leave()
	defer cancel()
	reading.Go(func() {
		defer cancel()
		p.receive(ctx, requests)
	})
	p.identify(ctx, stop)
	for {
		select {
		case m := <-requests:
			p.conn.SetReadDeadline(time.Time{})
			if err := p.answer(ctx, m); err != nil {
				return
			}
			if !p.server.isSession(p) {
				p.conn.SetReadDeadline(time.Now().Add(idle))
			}
		case <-ctx.Done():
			return
		}
	}
}

// identify asks for the name of the peer's user.
func (p *peer) identify(ctx, stop context.Context) {
	name, err := p.server.names.get(ctx, stop, p.UID)
	if err == nil {
		p.user = name
		p.server.belongsTo(p, p.UID)
		return
	}
	if ctx.Err() == nil {
		p.server.refusals.Add("a user with a name", "uid", p.UID, "pid", p.PID, "program", p.Program(), "err", err)
	}
	p.user = fmt.Sprintf("uid %d", p.UID)
}

// receive passes requests on until there are no more. Who has no session has to go on asking.
func (p *peer) receive(ctx context.Context, requests chan<- control.Message) {
	r := control.NewReader(p.conn, control.MaxRequest)
	p.conn.SetReadDeadline(time.Now().Add(idle))
	for {
		m, err := r.Read()
		if _, bad := errors.AsType[*tagged.BadMessage](err); bad {
			p.send(&control.Done{Error: err.Error()})
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
				p.server.config.Log.Debug("a connection ends", "uid", p.UID, "err", err) // who asked was told
			}
			return
		}
		select {
		case requests <- m:
		case <-ctx.Done():
			return
		}
	}
}

// leave takes the peer's session with it.
func (p *peer) leave() {
	p.server.mu.Lock()
	id := p.id
	p.server.mu.Unlock()
	if id != "" {
		p.server.cluster.Remove(id)
	}
	p.server.dismiss(p)
}

func (s *Server) isSession(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.id != ""
}

// answer answers one request. The error means that the peer is not to be had any more.
func (p *peer) answer(ctx context.Context, m control.Message) error {
	switch m := m.(type) {
	case *control.Register:
		answer, err := p.register(ctx, m)
		if err != nil {
			return p.finish(err)
		}
		return p.send(answer)
	case *control.ListRequest:
		return p.list(m)
	case *control.EndRequest:
		return p.finish(p.end(ctx, m))
	case *control.LeaveRequest:
		return p.finish(p.server.leaves(p, m.ID))
	case *control.DrainRequest:
		return p.finish(p.drain(m.Drain))
	case *control.InfoRequest:
		return p.sayInfo()
	case *control.Login:
		return p.finish(p.login(m))
	}
	return p.finish(errors.New("this message is no request"))
}

func (p *peer) finish(err error) error {
	if err != nil {
		return p.send(&control.Done{Error: err.Error()})
	}
	return p.send(new(control.Done))
}

// mayAll tells whether the peer may see and do everything.
func (p *peer) mayAll() bool { return p.UID == 0 || p.UID == os.Geteuid() }

// register makes the peer a session.
func (p *peer) register(ctx context.Context, r *control.Register) (*control.Registered, error) {
	s := p.server
	if s.Drained() && !r.Again {
		return &control.Registered{Refused: "This server takes no new logins now. Please choose another one."}, nil
	}
	session := cluster.Session{ID: r.ID, User: p.user, Server: s.config.Name, Client: r.Client, Began: r.Began}
	if err := session.Check(); err != nil {
		return nil, err
	}
	if err := s.reserve(p, r.ID); err != nil {
		return nil, err
	}
	answer, err := p.claim(ctx, session, r)
	if err != nil || len(answer.Held) > 0 {
		s.release(p)
	}
	return answer, err
}

// claim adds the session, after the others where it takes their place.
func (p *peer) claim(ctx context.Context, session cluster.Session, r *control.Register) (*control.Registered, error) {
	c := p.server.cluster
	if r.Again || !r.One {
		return new(control.Registered), c.Register(session)
	}
	ctx, cancel := context.WithTimeout(ctx, replaceLimit)
	defer cancel()
	for {
		held, warning, err := c.Claim(ctx, session)
		stay := slices.DeleteFunc(slices.Clone(held), func(s cluster.Session) bool { return s.Ending })
		if err != nil || len(held) == 0 || len(stay) > 0 && !r.Replace {
			return &control.Registered{Held: local(stay), Warning: warning}, err
		}
		// Who is quicker than we are to take the place is asked to go in turn.
		for _, other := range held {
			if err := outlive(ctx, c, other, r.Client); err != nil {
				return nil, err
			}
		}
	}
}

// outlive ends a session, if it does not end by itself, and waits for that.
func outlive(ctx context.Context, c *cluster.Cluster, s cluster.Session, by string) error {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	if s.Ending {
		return c.Gone(ctx, s)
	}
	return c.End(ctx, s, by)
}

// local gives the cluster's sessions the form of this server's.
func local(list []cluster.Session) []sessions.Session {
	var out []sessions.Session
	for _, s := range list {
		out = append(out, sessions.Session{ID: s.ID, User: s.User, Server: s.Server, Client: s.Client, Began: s.Began})
	}
	return out
}

// list sends the sessions that the peer may see.
func (p *peer) list(m *control.ListRequest) error {
	done, err := p.server.begin(p)
	if err != nil {
		return p.finish(err)
	}
	defer done()
	// A user sees one page of the own ones, which is more than anybody has.
	most := control.Page
	if p.mayAll() {
		most = math.MaxInt
	}
	all := p.server.cluster.Pick(most, func(s cluster.Session) bool {
		own := s.User == p.user
		return s.Server != p.server.config.Name && (own || p.mayAll()) && (!m.Others || own && !s.Ending)
	})
	warning := ""
	if state := p.server.cluster.State(); !state.Alone && !state.Reachable {
		warning = state.String()
	}
	for {
		some := all[:min(control.Page, len(all))]
		all = all[len(some):]
		if err := p.send(&control.List{List: local(some), More: len(all) > 0, Warning: warning}); err != nil || len(all) == 0 {
			return err
		}
	}
}

// end ends a session of the peer's user, or for root of anybody's.
func (p *peer) end(ctx context.Context, m *control.EndRequest) error {
	c := p.server.cluster
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	found := c.Pick(1, func(s cluster.Session) bool {
		return s.ID == m.ID && (s.User == p.user || p.mayAll())
	})
	if len(found) == 0 {
		return fmt.Errorf("no session %.64q of yours", m.ID)
	}
	return c.End(ctx, found[0], "")
}

func (p *peer) drain(drain bool) error {
	if !p.mayAll() {
		return errors.New("only root may do that")
	}
	err := p.server.drain.set(drain)
	p.server.config.Log.Info("drained", "now", drain, "uid", p.UID, "err", err)
	p.server.cluster.Changed()
	if p.server.config.Changed != nil {
		p.server.config.Changed()
	}
	return err
}

func (p *peer) login(m *control.Login) error {
	known := slices.Contains([]string{control.Started, control.Failed, control.Refused, control.Held}, m.Result)
	if !known || math.IsNaN(m.Seconds) || m.Seconds < 0 || m.Seconds > 86400 {
		return errors.New("not a login's result")
	}
	if p.server.config.Login != nil {
		p.server.config.Login(m.Result, time.Duration(m.Seconds*float64(time.Second)))
	}
	return nil
}

// sayInfo sends what the daemon says of itself.
func (p *peer) sayInfo() error {
	done, err := p.server.begin(p)
	if err != nil {
		return p.finish(err)
	}
	defer done()
	return p.send(p.server.info())
}

// info is what the daemon says of itself.
func (s *Server) info() *control.Info {
	since, state := s.drain.get(), s.cluster.State()
	i := &control.Info{
		Name: s.config.Name, Drained: !since.IsZero(), Since: since,
		Cluster: state.String(), Reachable: state.Reachable,
		Servers: []control.Other{},
	}
	for _, o := range s.cluster.Servers() {
		i.Servers = append(i.Servers, control.Other{
			Name: o.Name, Hosts: o.Hosts, Port: o.Port,
			Rating: o.Rating, Sessions: o.Sessions, Drained: o.Drained,
		})
	}
	return i
}
