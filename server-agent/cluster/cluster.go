package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"goldm/internal/text"
)

const (
	maxProblem = 500 // runes of a problem that is told

	// logPause keeps a problem that shows in ever other words from filling the log.
	logPause = 30 * time.Second
)

// Config says who we are and where the others are.
type Config struct {
	Endpoints []string // of etcd; none for a server on its own
	TLS       *tls.Config
	Prefix    string        // of all keys; it ends in "/"
	Lease     time.Duration // how long the others believe in us without a sign of life

	Self   Server        // the Report in it does not count
	Report func() Report // asked now and then; nil for none

	// End is called when somebody asks for the end of a session of this server, with
	// the place where its user is instead. It must not block.
	End func(id, by string)

	Log *slog.Logger
}

// State is what there is to say about the connection to the others.
type State struct {
	Alone     bool      // no cluster is configured
	Reachable bool      // the others hear us, and we them
	Since     time.Time // when that began
	Problem   string    // why not reachable
}

// String is for people and the log.
func (s State) String() string {
	switch {
	case s.Alone:
		return "no cluster"
	case s.Reachable:
		return "in the cluster since " + s.Since.Format(time.DateTime)
	}
	return fmt.Sprintf("cluster unreachable since %s: %s", s.Since.Format(time.DateTime), s.Problem)
}

// Cluster is this server's part of it. Its methods may be called from several goroutines.
type Cluster struct {
	config Config
	client *clientv3.Client // nil for a server on its own
	news   chan struct{}    // of one: there is something to tell the others

	mu        sync.Mutex
	state     State
	lease     clientv3.LeaseID  // 0 where the others do not know us
	local     map[string]*local // our sessions by ID
	published map[string]string // keys that hang on the lease, and their values
	told      Server            // our record, as far as the load goes
	toldAt    time.Time
	logged    time.Time // when a problem was last logged
	known     *directory
	moved     chan struct{} // closed, and replaced, when known or local changes
}

// local is a session of this server.
type local struct {
	Session
	pending bool // a transaction decides whether there is such a session
}

// New prepares for Run.
func New(config Config) (*Cluster, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{
		config:    config,
		news:      make(chan struct{}, 1),
		state:     State{Alone: len(config.Endpoints) == 0, Since: time.Now(), Problem: "not reached yet"},
		local:     make(map[string]*local),
		published: make(map[string]string),
		known:     newDirectory(config.Self.Name),
		moved:     make(chan struct{}),
	}
	if c.state.Alone {
		return c, nil
	}
	if _, err := decodeServer(config.Self.Name, []byte(encode(config.Self))); err != nil {
		return nil, fmt.Errorf("this server, %q, in a cluster: %w", config.Self.Name, err)
	}
	var err error
	c.client, err = connect(config.Endpoints, config.TLS)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return c, nil
}

// Run keeps us in the cluster until ctx ends.
func (c *Cluster) Run(ctx context.Context) {
	if c.client == nil {
		<-ctx.Done()
		return
	}
	defer c.client.Close()
	for ctx.Err() == nil {
		err := c.member(ctx)
		if ctx.Err() != nil {
			break
		}
		c.apart(err)
		select {
		case <-time.After(time.Second + rand.N(time.Second)): // not all at once
		case <-ctx.Done():
		}
	}
	c.leave()
}

// leave lets the others forget us at once where nothing of us stays; else the sessions that
// go on keep our name until the next daemon takes them over, or the lease ends.
func (c *Cluster) leave() {
	c.mu.Lock()
	lease, busy := c.lease, len(c.local) > 0
	c.mu.Unlock()
	if lease == 0 || busy {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.client.Revoke(ctx, lease); err != nil {
		c.config.Log.Info("the cluster was not told that this server goes", "err", err)
	}
}

// apart notes that the others cannot be reached.
func (c *Cluster) apart(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	problem := text.Line(err.Error(), maxProblem)
	news := c.state.Reachable || c.state.Problem != problem && time.Since(c.logged) > logPause
	if c.state.Reachable {
		c.state = State{Since: time.Now()}
	}
	c.state.Problem = problem
	if news {
		c.logged = time.Now()
		c.config.Log.Warn("cluster unreachable: logins go on with what is known", "since", c.state.Since.Format(time.DateTime), "err", problem)
	}
}

// joined notes that they can.
func (c *Cluster) joined() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.state.Reachable {
		c.config.Log.Info("cluster reached", "servers", len(c.known.servers), "sessions", len(c.known.sessions), "after", time.Since(c.state.Since).Round(time.Millisecond))
		c.state = State{Reachable: true, Since: time.Now()}
	}
}

// State says how it stands.
func (c *Cluster) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Servers returns the servers of the cluster but this one, as they were last heard of, by name.
func (c *Cluster) Servers() []Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Server
	for _, s := range c.known.servers {
		if s.Name != c.config.Self.Name {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Server) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// Sessions returns this server's sessions and those of the others, as they were last
// heard of.
func (c *Cluster) Sessions() []Session {
	return c.Pick(math.MaxInt, func(Session) bool { return true })
}

// of returns some of a user's sessions but the one with an ID of this server.
func (c *Cluster) of(user, but string) []Session {
	return c.pick(maxHeld, func(s Session) bool {
		return s.User == user && (s.Server != c.config.Self.Name || s.ID != but)
	})
}

// Pick returns the sessions that a condition holds for, most of them at most, in the order of
// Sessions.
func (c *Cluster) Pick(most int, condition func(Session) bool) []Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pick(most, condition)
}

// pick is Pick under the lock.
func (c *Cluster) pick(most int, condition func(Session) bool) []Session {
	var found []Session
	for _, s := range c.known.sessions {
		if len(found) < most && s.Server != c.config.Self.Name && condition(s) {
			found = append(found, s)
		}
	}
	for _, l := range c.local {
		if len(found) < most && !l.pending && condition(l.Session) {
			found = append(found, l.Session)
		}
	}
	slices.SortFunc(found, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Server, b.Server), cmp.Compare(a.ID, b.ID))
	})
	return found
}

// tell makes the others hear what changed here.
func (c *Cluster) tell() {
	select {
	case c.news <- struct{}{}:
	default: // they will
	}
}

// Changed says that Report has something new.
func (c *Cluster) Changed() { c.tell() }

// move wakes who waits for a change; under the lock.
func (c *Cluster) move() {
	close(c.moved)
	c.moved = make(chan struct{})
}

// errApart means that the cluster is not to be had now.
var errApart = errors.New("the cluster is not reachable")
