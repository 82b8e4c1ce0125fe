package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxHeld bounds the sessions that are found in the way of one: if these end, others are found.
const maxHeld = 16

// Register adds a session of this server, whatever other sessions its user has.
// The others hear of it as soon as they can.
func (c *Cluster) Register(s Session) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("session %.80q: %w", s.ID, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.local[s.ID] = &local{Session: s}
	c.heed(s.Server + "/" + s.ID) // what was asked for while no daemon knew it
	c.move()
	c.tell()
	return nil
}

// Remove says that a session of this server has ended.
func (c *Cluster) Remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.local[id]; there {
		delete(c.local, id)
		c.move()
		c.tell()
	}
}

// Leave says that a session of this server ends.
func (c *Cluster) Leave(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, there := c.local[id]; there && !l.Ending {
		l.Ending = true
		c.move()
		c.tell()
	}
}

// Claim adds a session of this server if its user has no other one anywhere; held are
// those in its way. Of several claims at once, on whatever servers, one wins. Where the
// cluster cannot be reached, what is known decides, and the warning says so.
func (c *Cluster) Claim(ctx context.Context, s Session) (held []Session, warning string, err error) {
	if err := s.Check(); err != nil {
		return nil, "", fmt.Errorf("session %.80q: %w", s.ID, err)
	}
	if held := c.reserve(s); len(held) > 0 {
		return held, "", nil
	}
	if c.client != nil {
		held, err = c.decide(ctx, s)
	}
	switch {
	case ctx.Err() != nil:
		c.Remove(s.ID)
		return nil, "", ctx.Err()
	case errors.Is(err, errApart):
		if held = c.lastHeard(s); len(held) == 0 {
			warning = c.State().String() + "; other servers may have sessions of this user that are not known here"
		}
	}
	if len(held) > 0 {
		c.Remove(s.ID)
		return held, "", nil
	}
	c.confirm(s.ID)
	return nil, warning, nil
}

// reserve takes the user's place on this server, or returns who has it.
func (c *Cluster) reserve(s Session) (held []Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.local {
		if l.User == s.User && l.ID != s.ID {
			held = append(held, l.Session)
		}
	}
	if len(held) == 0 {
		c.local[s.ID] = &local{Session: s, pending: true}
	}
	return held
}

// confirm makes a reserved session one that counts.
func (c *Cluster) confirm(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, there := c.local[id]; there {
		l.pending = false
		c.move()
		c.tell()
	}
}

// lastHeard returns the user's sessions on other servers that were known when the cluster
// was last reached.
func (c *Cluster) lastHeard(s Session) []Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of(s.User, s.ID)
}

// decide writes the session in a transaction on the condition that the user
// has none. The error is errApart where there is no cluster to ask.
func (c *Cluster) decide(ctx context.Context, s Session) (held []Session, err error) {
	c.mu.Lock()
	lease, reachable := c.lease, c.state.Reachable
	key := sessionKey(s)
	if reachable {
		c.published[key] = "" // perhaps: if nothing comes of it, it will be deleted
	}
	c.mu.Unlock()
	if lease == 0 || !reachable {
		return nil, errApart // at once: a login must not wait for what is known to hang
	}
	user := c.config.Prefix + userKey(s.User)
	// Of a range, the condition holds if it does for each key, and for none.
	none := clientv3.Compare(clientv3.CreateRevision(user).WithPrefix(), "=", 0)
	answer, err := commit(ctx, func(ctx context.Context) clientv3.Txn {
		return c.client.Txn(ctx).If(none, c.ours()).
			Then(clientv3.OpPut(c.config.Prefix+key, encode(s), clientv3.WithLease(lease))).
			Else(clientv3.OpGet(user, clientv3.WithPrefix(), clientv3.WithLimit(maxHeld)))
	})
	if err != nil {
		if ctx.Err() == nil {
			c.apart(c.lost(err))
		}
		return nil, errApart
	}
	if answer.Succeeded {
		c.mu.Lock()
		c.published[key] = encode(s)
		c.mu.Unlock()
		return nil, nil
	}
	return c.inTheWay(answer, key)
}

// inTheWay reads from the answer to a transaction that wrote nothing why: which sessions the
// user has but the one to be written.
func (c *Cluster) inTheWay(answer *clientv3.TxnResponse, key string) (held []Session, err error) {
	seen := newDirectory(c.config.Self.Name)
	for _, kv := range answer.Responses[0].GetResponseRange().GetKvs() {
		seen.put(string(kv.Key[len(c.config.Prefix):]), kv.Value, c.config.Log)
	}
	_, again := seen.sessions[key] // an earlier try did arrive
	delete(seen.sessions, key)
	if len(seen.sessions) == 0 && !again {
		return nil, errApart // etcd has forgotten us, or has nothing but odd keys there
	}
	return slices.Collect(maps.Values(seen.sessions)), nil
}

// End asks for the end of a session, wherever it is, and waits for it. by is the place
// where its user is instead.
func (c *Cluster) End(ctx context.Context, s Session, by string) error {
	here := s.Server == c.config.Self.Name
	c.mu.Lock()
	mine, running := c.local[s.ID]
	lease, reachable := c.lease, c.state.Reachable
	c.mu.Unlock()
	switch {
	case here && running && mine.User != s.User:
		return errors.New("it is not a session of this user")
	case here && running && c.config.End != nil:
		c.config.End(s.ID, by)
	case c.client == nil:
		return nil // it has ended
	case lease == 0 || !reachable:
		return fmt.Errorf("end a session on %s: %w", s.Server, errApart)
	default:
		if err := c.ask(ctx, s, by, lease); err != nil {
			return fmt.Errorf("end a session on %s: %w", s.Server, err)
		}
		defer c.unask(s)
	}
	return c.Gone(ctx, s)
}

// ask writes the request to end a session. One that this server has forgotten, after a
// restart, is forgotten by the others too.
func (c *Cluster) ask(ctx context.Context, s Session, by string, lease clientv3.LeaseID) error {
	op := clientv3.OpPut(c.config.Prefix+endingKey(s.Server, s.ID), encode(ending{User: s.User, By: by}), clientv3.WithLease(lease))
	if s.Server == c.config.Self.Name {
		op = clientv3.OpDelete(c.config.Prefix + sessionKey(s))
	}
	return c.write(ctx, []clientv3.Op{op})
}

// unask takes the request back, heeded or not: a session must not end for a question of
// long ago.
func (c *Cluster) unask(s Session) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.client.Delete(ctx, c.config.Prefix+endingKey(s.Server, s.ID)) // or else it goes with our lease
}

// Gone waits until a session is not there any more.
func (c *Cluster) Gone(ctx context.Context, s Session) error {
	there := func() (bool, <-chan struct{}) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, known := c.known.sessions[sessionKey(s)]
		if s.Server == c.config.Self.Name {
			_, known = c.local[s.ID]
		}
		return known, c.moved
	}
	for {
		known, moved := there()
		if !known {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("the session on %s does not end: %w", s.Server, ctx.Err())
		}
	}
}
