package server

import (
	"context"
	"fmt"
	"net"
	"testing"

	"goldm/server-agent/cluster"
)

// Where all sessions are taken, the user with the most gives one up, and among equals nobody.
func TestAttackAllSessions(t *testing.T) {
	s := New(Config{User: func(context.Context, int) (string, error) { return "", nil }})
	var err error
	if s.cluster, err = cluster.New(cluster.Config{}); err != nil {
		t.Fatal(err)
	}
	join := func(account, n int) (*peer, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		p := &peer{server: s, conn: near, account: account}
		s.mu.Lock()
		s.peers[p] = true
		p.wait()
		s.mu.Unlock()
		return p, s.reserve(p, fmt.Sprintf("%d-%d", account, n))
	}
	const greedy = MaxSessions / maxSessionsUser
	for account := range greedy {
		for n := range maxSessionsUser {
			if _, err := join(account, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for account := greedy; account < greedy+100; account++ {
		if _, err := join(account, 0); err != nil {
			t.Fatalf("user %d: %v", account, err)
		}
		if s.counted != MaxSessions || s.held[account] != 1 {
			t.Fatalf("user %d: %d of %d", account, s.held[account], s.counted)
		}
	}
	if _, err := join(0, maxSessionsUser+1); err == nil {
		t.Error("a user with the most gets more")
	}
	for p := range s.peers {
		s.dismiss(p)
	}
	if s.counted != 0 || len(s.held) != 0 || len(s.sessions) != 0 || len(s.peers) != 0 {
		t.Errorf("left: %d, %v, %d sessions, %d peers", s.counted, s.held, len(s.sessions), len(s.peers))
	}
}
