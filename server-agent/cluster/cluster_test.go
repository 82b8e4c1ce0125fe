package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"goldm/server-agent/cluster"
)

const prefix = "/test/"

// A busy machine may stop for seconds, in which no lease shall end but for the tests of that.
const (
	long  = 20 * time.Second
	short = 3 * time.Second
)

var clientWithPrefix = clientv3.WithPrefix()

// agent is a server's part of a cluster.
type agent struct {
	*cluster.Cluster
	roads   *roads
	log     *tail
	drained atomic.Bool
	stop    func()
}

// endless has no sessions that end when they are asked to.
func endless(*agent, string) {}

// obedient ends a session when it is asked to.
func obedient(a *agent, id string) { go a.Remove(id) }

// join starts an agent whose sessions do what end does when they are asked to end.
func (e *etcd) join(name string, end func(a *agent, id string)) *agent {
	e.t.Helper()
	return e.joinAs(name, "machine of "+name, long, end)
}

func (e *etcd) joinAs(name, identity string, lease time.Duration, end func(a *agent, id string)) *agent {
	e.t.Helper()
	a := &agent{roads: e.roads(), log: new(tail)}
	var err error
	a.Cluster, err = cluster.New(cluster.Config{
		Endpoints: a.roads.endpoints(),
		Prefix:    prefix,
		Lease:     lease,
		Self:      cluster.Server{Name: name, Identity: identity, Hosts: []string{name + ".test"}, Port: 22, Keys: []string{"SHA256:x"}, Version: "test"},
		Report:    func() cluster.Report { return cluster.Report{Rating: 50, Drained: a.drained.Load()} },
		End:       func(id, _ string) { end(a, id) },
		Log:       slog.New(slog.NewTextHandler(a.log, nil)),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	a.run(e.t)
	return a
}

// run runs the agent until its stop is called, or the test ends.
func (a *agent) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	a.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("agent: %s", a.log)
		}
		a.stop()
	})
}

// together waits until agents know each other.
func together(t testing.TB, agents ...*agent) {
	t.Helper()
	eventually(t, "the agents know each other", func() bool {
		return !slices.ContainsFunc(agents, func(a *agent) bool { return !a.State().Reachable || len(a.Servers()) != len(agents)-1 })
	})
}

func session(user, server, id string) cluster.Session {
	return cluster.Session{ID: id, User: user, Server: server, Client: "station-07", Began: time.Now().UTC().Truncate(time.Second)}
}

// list is the sessions that an agent knows, as USER@SERVER.
func (a *agent) list() string {
	var all []string
	for _, s := range a.Sessions() {
		all = append(all, s.User+"@"+s.Server)
	}
	return strings.Join(all, " ")
}

func (a *agent) lists(t testing.TB, want string) {
	t.Helper()
	eventually(t, "the list is "+want, func() bool { return a.list() == want })
}

// claim claims and returns who won.
func (a *agent) claim(t testing.TB, s cluster.Session) (won bool, held []cluster.Session, warning string) {
	t.Helper()
	begin := time.Now()
	held, warning, err := a.Claim(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 15*time.Second { // two tries of two seconds, on a busy machine
		t.Errorf("a claim took %v", took)
	}
	return len(held) == 0, held, warning
}

func TestServersAndSessions(t *testing.T) {
	for name, suite := range map[string]string{"this release": "", "trixie": "trixie"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testServersAndSessions(t, startEtcd(t, 1, suite))
		})
	}
}

func testServersAndSessions(t testing.TB, e *etcd) {
	a, b := e.join("a", endless), e.join("b", endless)
	together(t, a, b)
	if got := b.Servers()[0]; got.Name != "a" || got.Hosts[0] != "a.test" || got.Port != 22 || got.Rating != 50 || got.Drained {
		t.Errorf("b knows of a: %+v", got)
	}
	a.drained.Store(true)
	a.Changed()
	eventually(t, "b hears that a is drained", func() bool { return b.Servers()[0].Drained })

	ahead := session(`SCHOOL\anna/b`, "a", "1")
	ahead.Began = ahead.Began.Add(10 * time.Minute) // by a clock that is wrong
	if err := a.Register(ahead); err != nil {
		t.Fatal(err)
	}
	b.lists(t, `SCHOOL\anna/b@a`)
	if got := b.Sessions()[0]; got != ahead {
		t.Errorf("b knows %+v, not %+v", got, ahead)
	}
	a.Remove("1")
	b.lists(t, "")

	a.stop() // nothing of it stays, so it goes at once
	eventually(t, "b hears that a has gone", func() bool { return len(b.Servers()) == 0 })
}

// Of claims at once on three servers, one wins each time.
func TestOneSessionAUser(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 3, "")
	agents := []*agent{e.join("a", obedient), e.join("b", obedient), e.join("c", obedient)}
	together(t, agents...)
	for round := range 10 {
		user := fmt.Sprint("user", round)
		var won atomic.Int32
		var claims sync.WaitGroup
		for i := range 6 {
			a, s := agents[i%3], session(user, string(rune('a'+i%3)), fmt.Sprintf("%d-%d", round, i))
			claims.Go(func() {
				if ok, held, warning := a.claim(t, s); ok {
					won.Add(1)
				} else if held[0].User != user {
					t.Errorf("held by %+v", held)
				} else if warning != "" {
					t.Error(warning)
				}
			})
		}
		claims.Wait()
		if n := won.Load(); n != 1 {
			t.Fatalf("round %d: %d claims won", round, n)
		}
	}
}

// A session is ended where it is, for another one elsewhere.
func TestEnd(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 1, "")
	a, b := e.join("a", obedient), e.join("b", endless)
	together(t, a, b)
	if ok, _, _ := a.claim(t, session("anna", "a", "1")); !ok {
		t.Fatal("the first claim did not win")
	}
	again := session("anna", "b", "2")
	ok, held, _ := b.claim(t, again)
	if ok || len(held) != 1 || held[0].Server != "a" || held[0].Client != "station-07" {
		t.Fatalf("the second claim: %v, %+v", ok, held)
	}
	foreign := held[0]
	foreign.User = "ben"
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := b.End(ctx, foreign, "station-08"); err != nil || a.list() != "anna@a" {
		t.Errorf("end of another's session: %v; left %q", err, a.list())
	}
	b.lists(t, "anna@a")
	if err := b.End(ctx, held[0], "station-08"); err != nil {
		t.Fatal(err)
	}
	if ok, held, _ := b.claim(t, again); !ok {
		t.Errorf("after the end it is held by %+v", held)
	}

	// b's does not end, and the wait has an end.
	brief, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	a.lists(t, "anna@b")
	if err := a.End(brief, again, ""); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "session on b") {
		t.Errorf("one that does not end: %v", err)
	}
}

func TestTwoServersWithOneName(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 1, "")
	a, b := e.join("a", endless), e.join("b", endless)
	together(t, a, b)
	second := e.joinAs("a", "another machine", long, endless)
	eventually(t, "the second is refused", func() bool {
		p := second.State().Problem
		return strings.Contains(p, `two servers with the name "a"`) && strings.Contains(p, "machine ") && strings.Contains(p, "another ")
	})
	if !strings.Contains(second.log.String(), "two servers with the name") {
		t.Errorf("the log: %s", second.log)
	}
	// It goes on by what is known.
	if ok, _, warning := second.claim(t, session("anna", "a", "9")); !ok || !strings.Contains(warning, "two servers") {
		t.Errorf("a claim there: %v, %q", ok, warning)
	}
	if got := b.list(); got != "" || !a.State().Reachable {
		t.Errorf("the others know %q; the first: %v", got, a.State())
	}
	// The same machine takes its name over: a daemon that was killed and started again.
	heir := e.joinAs("a", "machine of a", long, endless)
	together(t, heir, b)
	a.stop()
	second.Remove("9") // or its name would stay until the lease ends
	heir.stop()
	eventually(t, "the name is free for the second", func() bool { return second.State().Reachable })
}

// One member killed, the leader killed, all gone, all back.
func TestMembersKilled(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 3, "")
	a, b := e.join("a", obedient), e.join("b", obedient)
	together(t, a, b)
	way := e.roads()

	round := 0
	works := func(when string) {
		t.Helper()
		round++
		user, id := fmt.Sprint("user", round), fmt.Sprint(round)
		eventually(t, when+" a claim is decided by the cluster", func() bool {
			won, _, warning := a.claim(t, session(user, "a", id))
			if won && warning != "" {
				a.Remove(id)
			}
			return won && warning == ""
		})
		eventually(t, when+" the other knows", func() bool {
			won, held, warning := b.claim(t, session(user, "b", id))
			if won {
				b.Remove(id)
			}
			return !won && warning == "" && held[0].Server == "a"
		})
	}
	works("at first")
	leader := e.leader(way)
	e.kill((leader + 1) % 3)
	works("with one member killed")
	e.start((leader + 1) % 3)
	e.leader(way)
	e.kill(leader)
	works("with the leader killed")

	for i := range e.members {
		if i != leader {
			e.kill(i)
		}
	}
	eventually(t, "the state says so", func() bool {
		return strings.HasPrefix(a.State().String(), "cluster unreachable since ") && !b.State().Reachable
	})
	if won, _, warning := b.claim(t, session("carl", "b", "c")); !won || !strings.Contains(warning, "cluster unreachable since ") {
		t.Errorf("without etcd: %v, %q", won, warning)
	}
	if won, held, _ := b.claim(t, session("user1", "b", "d")); won {
		t.Error("without etcd what was heard last does not count")
	} else if held[0].Server != "a" {
		t.Errorf("held by %+v", held)
	}
	if !strings.Contains(b.log.String(), "cluster unreachable") {
		t.Errorf("the log: %s", b.log)
	}
	for i := range e.members {
		e.start(i)
	}
	together(t, a, b)
	works("after all came back")
	a.lists(t, "carl@b user1@a user2@a user3@a user4@a")
}

// An agent is cut off until its lease has ended, and comes back.
func TestPartition(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 1, "")
	a, b := e.joinAs("a", "machine of a", short, obedient), e.join("b", obedient)
	together(t, a, b)
	if won, _, _ := a.claim(t, session("anna", "a", "1")); !won {
		t.Fatal("not won")
	}
	b.lists(t, "anna@a")
	a.roads.setCut(true)
	b.lists(t, "") // the lease has ended
	eventually(t, "a notices", func() bool { return !a.State().Reachable })
	if won, _, warning := a.claim(t, session("ben", "a", "2")); !won || warning == "" {
		t.Errorf("on the cut off server: %v, %q", won, warning)
	}
	if won, _, warning := b.claim(t, session("anna", "b", "3")); !won || warning != "" {
		t.Errorf("on the other side: %v, %q", won, warning)
	}
	a.roads.setCut(false)
	together(t, a, b)
	// Nobody was asked, so nothing was ended.
	a.lists(t, "anna@a anna@b ben@a")
	b.lists(t, "anna@a anna@b ben@a")
	if !strings.Contains(a.log.String(), "a user has two sessions") {
		t.Errorf("the log: %s", a.log)
	}
}

// An etcd that hangs, and does not close a connection.
func TestHang(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 1, "")
	a, b := e.join("a", obedient), e.join("b", obedient)
	together(t, a, b)
	e.signal(0, syscall.SIGSTOP)
	for i := range 3 { // of which the first may wait for an answer
		if won, _, warning := a.claim(t, session(fmt.Sprint("user", i), "a", fmt.Sprint(i))); !won || warning == "" {
			t.Errorf("claim %d: %v, %q", i, won, warning)
		}
	}
	eventually(t, "b notices", func() bool { return !b.State().Reachable })
	e.signal(0, syscall.SIGCONT)
	together(t, a, b)
	b.lists(t, "user0@a user1@a user2@a")
}

// What no server of ours wrote is passed over.
func TestStrangers(t *testing.T) {
	t.Parallel()
	e := startEtcd(t, 1, "")
	client := e.client(e.roads())
	put := func(key, value string) {
		t.Helper()
		if _, err := client.Put(t.Context(), prefix+key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("servers/evil\x1b[2J", `{}`)
	put("servers/a", "no server's")
	put("sessions/anna/x/1", strings.Repeat("x", 100_000))
	put("later/version", "?")
	a, b := e.join("a", endless), e.join("b", endless)
	together(t, a, b)
	put("sessions/%zz/b/1", `{}`)
	put("endings/a/1", `[]`)
	put("sessions/anna/x/2", `{"client":"station-01"}`)
	a.lists(t, "anna@x")
	b.lists(t, "anna@x")
	if log := a.log.String(); !strings.Contains(log, "passed over") || strings.Contains(log, "\x1b") {
		t.Errorf("the log: %s", log)
	}
	// Whoever takes our record away does not silence us.
	if _, err := client.Delete(t.Context(), prefix, clientWithPrefix); err != nil {
		t.Fatal(err)
	}
	together(t, a, b)
	eventually(t, "both are there again", func() bool {
		answer, err := client.Get(t.Context(), prefix+"servers/", clientWithPrefix)
		return err == nil && len(answer.Kvs) == 2
	})
}

func TestAlone(t *testing.T) {
	c, err := cluster.New(cluster.Config{Self: cluster.Server{Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if held, warning, err := c.Claim(t.Context(), session("anna", "a", "1")); held != nil || warning != "" || err != nil {
		t.Errorf("%v, %q, %v", held, warning, err)
	}
	if held, _, err := c.Claim(t.Context(), session("anna", "a", "2")); len(held) != 1 || err != nil {
		t.Errorf("%v, %v", held, err)
	}
	if s := c.State(); s.String() != "no cluster" {
		t.Error(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Run(ctx)
}
