package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// page is how many keys are asked for at once, and batch how many are written: etcd
	// takes 128 in a transaction if nobody has configured more.
	page  = 1000
	batch = 100

	// reportTime is how often a load that has changed is told at most.
	reportTime = 30 * time.Second
)

// errLost means that etcd has forgotten us, and that we begin anew.
var errLost = errors.New("the lease has ended")

// member is one membership: from the lease to its loss, whose reason it returns. A cluster
// that cannot be reached for a while is no loss.
func (c *Cluster) member(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	revision, err := c.look(ctx)
	if err != nil {
		return err
	}
	if err := c.enter(ctx); err != nil {
		return err
	}
	c.joined()
	// Without a leader a member of etcd goes on with what it knew; better another one.
	events := c.client.Watch(clientv3.WithRequireLeader(ctx), c.config.Prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	beat := time.NewTicker(c.beatTime())
	defer beat.Stop()
	for {
		var err error
		select {
		case answer, open := <-events:
			if err := answer.Err(); err != nil || !open {
				return fmt.Errorf("watch: %w", cmp.Or(err, ctx.Err(), errLost))
			}
			err = c.hear(answer.Events)
		case <-beat.C:
			err = c.alive(ctx)
		case <-c.news:
			err = c.publish(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
		switch {
		case errors.Is(err, errLost):
			return err
		case err != nil:
			c.apart(err)
		}
	}
}

// beatTime is the pause between signs of life, some of which may get lost.
func (c *Cluster) beatTime() time.Duration { return min(c.config.Lease/6, 5*time.Second) }

// look reads all that the others have said, and returns etcd's revision at that time.
func (c *Cluster) look(ctx context.Context) (revision int64, err error) {
	known := newDirectory(c.config.Self.Name)
	from, end := c.config.Prefix, clientv3.GetPrefixRangeEnd(c.config.Prefix)
	for count := 0; ; {
		answer, err := do(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
			return c.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(page), clientv3.WithRev(revision))
		})
		if err != nil {
			return 0, err
		}
		if revision == 0 {
			revision = answer.Header.Revision // and the same one for the following pages
		}
		for _, kv := range answer.Kvs {
			known.put(strings.TrimPrefix(string(kv.Key), c.config.Prefix), kv.Value, c.config.Log)
			from = string(kv.Key) + "\x00"
		}
		if count += len(answer.Kvs); !answer.More || len(answer.Kvs) == 0 || count > maxServers+2*maxSessions {
			break
		}
	}
	c.mu.Lock()
	c.known = known
	c.move()
	c.mu.Unlock()
	return revision, c.nameIsFree()
}

// taken is the error for a name that another server has.
func (c *Cluster) taken(other Server) error {
	who := func(s Server) string { return strings.Join(s.Hosts, ", ") }
	return fmt.Errorf("two servers with the name %q: the cluster has one at %s (%.8s), so that this one at %s (%.8s) stays out; give one of them another name, by a line name = … in its server-agent.conf",
		other.Name, who(other), other.Identity, who(c.config.Self), c.config.Self.Identity)
}

// nameIsFree tells whether nobody else has our name, as far as we know.
func (c *Cluster) nameIsFree() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, ok := c.known.servers[c.config.Self.Name]; ok && other.Identity != c.config.Self.Identity {
		return c.taken(other)
	}
	return nil
}

// enter gets a lease and hangs all that we have to say on it.
func (c *Cluster) enter(ctx context.Context) error {
	grant, err := do(ctx, func(ctx context.Context) (*clientv3.LeaseGrantResponse, error) {
		return c.client.Grant(ctx, int64(c.config.Lease/time.Second))
	})
	if err != nil {
		return err
	}
	if err := c.takeName(ctx, grant.ID); err != nil {
		revoke, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		c.client.Revoke(revoke, grant.ID) // or else it ends by itself
		return err
	}
	c.begin(grant.ID)
	return c.publish(ctx)
}

// begin makes all that was written on an earlier lease be written anew, or deleted.
func (c *Cluster) begin(lease clientv3.LeaseID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease = lease
	for key := range c.published {
		c.published[key] = ""
	}
	c.warnOfSecond()
	for at := range c.known.endings {
		c.heed(at) // what was asked for while we were apart
	}
}

// takeName makes this server's record, unless another server has made it.
func (c *Cluster) takeName(ctx context.Context, lease clientv3.LeaseID) error {
	key := c.config.Prefix + serverKey(c.config.Self.Name)
	put := clientv3.OpPut(key, encode(c.self()), clientv3.WithLease(lease))
	condition := clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
	for range 3 { // others may be quicker, but not for ever
		answer, err := commit(ctx, func(ctx context.Context) clientv3.Txn {
			return c.client.Txn(ctx).If(condition).Then(put).Else(clientv3.OpGet(key))
		})
		if err != nil || answer.Succeeded {
			return err
		}
		condition = clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
		for _, kv := range answer.Responses[0].GetResponseRange().GetKvs() {
			other, err := decodeServer(c.config.Self.Name, kv.Value)
			if err == nil && other.Identity != c.config.Self.Identity {
				return c.taken(other)
			}
			// Ours from before, or nothing that a server wrote.
			condition = clientv3.Compare(clientv3.ModRevision(key), "=", kv.ModRevision)
		}
	}
	return fmt.Errorf("the name %q in the cluster changes all the time", c.config.Self.Name)
}

// self is what there is to say of us.
func (c *Cluster) self() Server {
	self := c.config.Self
	self.Report = Report{Rating: -1}
	if c.config.Report != nil {
		self.Report = c.config.Report()
	}
	return self
}

// record is the value of our record. Since each server hears each change, one that does
// not matter waits for others; under the lock.
func (c *Cluster) record(self Server) string {
	if self.Drained != c.told.Drained || time.Since(c.toldAt) > reportTime {
		c.told, c.toldAt = self, time.Now()
	}
	return encode(c.told)
}

// warnOfSecond tells of users who got a second session while we were apart.
// Nobody was asked, so none of them is ended. Under the lock.
func (c *Cluster) warnOfSecond() {
	for _, l := range c.local {
		for _, other := range c.of(l.User, l.ID) {
			if other.Server != l.Server {
				c.config.Log.Warn("a user has two sessions", "user", l.User, "here", l.ID, "server", other.Server, "there", other.ID)
			}
		}
	}
}

// alive renews the lease, and makes up for what could not be said.
func (c *Cluster) alive(ctx context.Context) error {
	c.mu.Lock()
	lease := c.lease
	c.mu.Unlock()
	_, err := do(ctx, func(ctx context.Context) (*clientv3.LeaseKeepAliveResponse, error) {
		answer, err := c.client.KeepAliveOnce(ctx, lease)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			err = errLost
		}
		return answer, err
	})
	if err != nil {
		return c.lost(err)
	}
	if err := c.publish(ctx); err != nil {
		return err
	}
	c.joined()
	return nil
}

// lost forgets the lease where the error says that etcd has.
func (c *Cluster) lost(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		err = errLost
	}
	if errors.Is(err, errLost) {
		c.mu.Lock()
		c.lease = 0
		c.mu.Unlock()
	}
	return err
}

// publish writes what differs from what was written before.
func (c *Cluster) publish(ctx context.Context) error {
	self := c.self() // asks others, so not under the lock
	c.mu.Lock()
	lease, ops, done := c.lease, []clientv3.Op(nil), map[string]string{}
	want := map[string]string{serverKey(c.config.Self.Name): c.record(self)}
	for _, l := range c.local {
		if !l.pending {
			want[sessionKey(l.Session)] = encode(l.Session)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if old, there := c.published[key]; !there || old != want[key] {
			ops = append(ops, clientv3.OpPut(c.config.Prefix+key, want[key], clientv3.WithLease(lease)))
			done[key] = want[key]
		}
	}
	var gone []string
	for key := range c.published {
		if _, wanted := want[key]; !wanted && !c.isPending(key) {
			ops = append(ops, clientv3.OpDelete(c.config.Prefix+key))
			gone = append(gone, key)
		}
	}
	c.mu.Unlock()
	if err := c.write(ctx, ops); err != nil {
		return c.lost(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.published, done)
	for _, key := range gone {
		delete(c.published, key)
	}
	return nil
}

// isPending tells whether a transaction decides about a key now; under the lock.
func (c *Cluster) isPending(key string) bool {
	for _, l := range c.local {
		if l.pending && sessionKey(l.Session) == key {
			return true
		}
	}
	return false
}

// write makes changes, some at a time, as long as our record is ours: who was
// thought dead for a while must not write over its successor of the same name.
func (c *Cluster) write(ctx context.Context, ops []clientv3.Op) error {
	for some := range slices.Chunk(ops, batch) {
		answer, err := commit(ctx, func(ctx context.Context) clientv3.Txn {
			return c.client.Txn(ctx).If(c.ours()).Then(some...)
		})
		if err != nil {
			return err
		}
		if !answer.Succeeded {
			return errLost
		}
	}
	return nil
}

// ours is the condition that the record of our name hangs on our lease.
func (c *Cluster) ours() clientv3.Cmp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clientv3.Compare(clientv3.LeaseValue(c.config.Prefix+serverKey(c.config.Self.Name)), "=", c.lease)
}

// hear takes in what the others say. The error is errLost where our record is gone.
func (c *Cluster) hear(events []*clientv3.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for _, e := range events {
		key := strings.TrimPrefix(string(e.Kv.Key), c.config.Prefix)
		if e.Type == clientv3.EventTypeDelete {
			c.known.drop(key)
		} else {
			c.known.put(key, e.Kv.Value, c.config.Log)
		}
		if at, ok := strings.CutPrefix(key, endingsKey); ok {
			c.heed(at)
		}
		if key == serverKey(c.config.Self.Name) && c.known.servers[c.config.Self.Name].Identity != c.config.Self.Identity {
			err = errLost
		}
	}
	c.move()
	return err
}

// heed passes on a request to end one of our sessions; under the lock.
func (c *Cluster) heed(at string) {
	server, id, _ := strings.Cut(at, "/")
	request, there := c.known.endings[at]
	session, running := c.local[id]
	if !there || server != c.config.Self.Name || !running || session.User != request.User {
		return
	}
	c.config.Log.Info("asked to end a session", "session", id, "user", request.User, "by", request.By)
	if c.config.End != nil {
		c.config.End(id, request.By)
	}
}
