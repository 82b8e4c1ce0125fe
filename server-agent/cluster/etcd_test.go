package cluster_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"goldm/internal/testbed"
)

// soon bounds the wait for what comes at once unless something is broken.
const soon = time.Minute

func TestMain(m *testing.M) {
	testbed.Init()
	os.Exit(m.Run())
}

// etcd is Debian's etcd with some members on one machine.
type etcd struct {
	t       testing.TB
	machine *testbed.Machine
	flags   []string // of all members
	scheme  string
	members []*member
}

type member struct {
	command *testbed.Cmd
	log     *tail
}

// startEtcd starts a cluster of members, those of a release.
func startEtcd(t testing.TB, size int, suite string) *etcd {
	t.Helper()
	e := newEtcd(t, size, suite)
	for i := range size {
		e.start(i)
	}
	return e
}

// newEtcd prepares a cluster, with flags for all members.
func newEtcd(t testing.TB, size int, suite string, flags ...string) *etcd {
	t.Helper()
	e := &etcd{t: t, machine: testbed.Start(t, testbed.Config{Suite: suite}).Server, flags: flags, scheme: "http"}
	if len(flags) > 0 {
		e.scheme = "https"
	}
	for range size {
		e.members = append(e.members, new(member))
	}
	return e
}

func (e *etcd) clientPort(i int) int { return 2379 + 10*i }

// start starts a member, anew if need be.
func (e *etcd) start(i int) {
	e.t.Helper()
	var all []string
	for n := range e.members {
		all = append(all, fmt.Sprintf("m%d=http://127.0.0.1:%d", n, e.clientPort(n)+1))
	}
	client, peer := fmt.Sprintf("%s://127.0.0.1:%d", e.scheme, e.clientPort(i)), fmt.Sprintf("http://127.0.0.1:%d", e.clientPort(i)+1)
	m := e.members[i]
	m.log = new(tail)
	m.command = e.machine.Command(context.Background(), "root", append([]string{"etcd",
		"--name", fmt.Sprintf("m%d", i), "--data-dir", fmt.Sprintf("/var/lib/etcd-test-%d", i),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", strings.Join(all, ","), "--initial-cluster-token", "test",
	}, e.flags...)...)
	m.command.Stdout, m.command.Stderr = m.log, m.log
	if err := m.command.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		if e.t.Failed() {
			e.t.Logf("etcd %d: %s", i, m.log)
		}
	})
}

// kill ends a member without a warning.
func (e *etcd) kill(i int) {
	e.members[i].command.Process.Kill()
	e.members[i].command.Wait()
}

// signal sends a signal to a member. A stop takes effect when one of its threads gets to it, and until
// then the others go on.
func (e *etcd) signal(i int, s syscall.Signal) {
	e.t.Helper()
	process := e.members[i].command.Process
	if err := process.Signal(s); err != nil {
		e.t.Error(err)
	}
	if s == syscall.SIGSTOP {
		eventually(e.t, "all its threads are stopped", func() bool { return stopped(e.t, process.Pid) })
	}
}

// stopped reports whether all threads of a process are stopped (proc_pid_stat(5)).
func stopped(t testing.TB, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of %d: %v", pid, err)
	}
	return !slices.ContainsFunc(threads, func(path string) bool {
		stat, err := os.ReadFile(path)
		return err == nil && !strings.Contains(string(stat), ") T ")
	})
}

// client is a client of etcd's own, by way of roads.
func (e *etcd) client(r *roads) *clientv3.Client {
	e.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: r.endpoints(), Logger: zap.NewNop()})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { client.Close() })
	return client
}

// leader waits for a leader and returns its number.
func (e *etcd) leader(r *roads) (leader int) {
	e.t.Helper()
	client := e.client(r)
	eventually(e.t, "etcd has a leader", func() bool {
		for i, endpoint := range r.endpoints() {
			ctx, cancel := context.WithTimeout(e.t.Context(), time.Second)
			status, err := client.Status(ctx, endpoint)
			cancel()
			if err == nil && status.Leader == status.Header.MemberId {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}

// roads lead from this process to the members; they can be cut.
type roads struct {
	scheme    string
	listeners []net.Listener

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// roads builds a road to each member.
func (e *etcd) roads() *roads {
	e.t.Helper()
	r := &roads{scheme: e.scheme, conns: make(map[net.Conn]bool)}
	var owner sync.WaitGroup
	for i := range e.members {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			e.t.Fatal(err)
		}
		r.listeners = append(r.listeners, l)
		owner.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				owner.Go(func() { r.carry(e, conn, i) })
			}
		})
	}
	e.t.Cleanup(func() {
		for _, l := range r.listeners {
			l.Close()
		}
		r.setCut(true)
		owner.Wait()
	})
	return r
}

func (r *roads) endpoints() []string {
	var all []string
	for _, l := range r.listeners {
		all = append(all, r.scheme+"://"+l.Addr().String())
	}
	return all
}

// keep remembers a connection, unless the roads are cut.
func (r *roads) keep(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.cut {
		r.conns[conn] = true
	}
	return !r.cut
}

func (r *roads) carry(e *etcd, near net.Conn, i int) {
	defer near.Close()
	if !r.keep(near) {
		return
	}
	far, err := e.machine.Dial(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", e.clientPort(i)))
	if err != nil {
		return
	}
	defer far.Close()
	if !r.keep(far) {
		return
	}
	done := make(chan struct{})
	go func() {
		io.Copy(far, near)
		far.Close()
		close(done)
	}()
	io.Copy(near, far)
	near.Close()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, near)
	delete(r.conns, far)
}

// setCut cuts the roads, or mends them.
func (r *roads) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	if cut {
		for conn := range r.conns {
			conn.Close()
		}
		clear(r.conns)
	}
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-8<<10):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, soon)
		}
	}
}
