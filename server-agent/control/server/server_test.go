package server

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// A user with too many connections keeps nobody else out, and fills no log.
func TestTooManyConnections(t *testing.T) {
	var log bytes.Buffer
	s := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	const anna, bob = 1000, 1001
	last := &peer{server: s, uid: anna}
	last.conn, _ = net.Pipe()
	s.peers[last] = true
	for round, want := range []int{1, 2} {
		s.users[anna] = maxPeersUser
		if !s.isFull(anna) || s.isFull(bob) || s.isFull(0) {
			t.Error("the wrong user is kept out")
		}
		for range 10 {
			s.complain(anna, nil)
		}
		if got := strings.Count(log.String(), "refused"); got != want {
			t.Errorf("round %d: the log has\n%s", round, log.String())
		}
		s.users[anna] = 1
		s.dismiss(last)
	}
}
