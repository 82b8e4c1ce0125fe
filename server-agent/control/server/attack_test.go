package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goldm/internal/peer/peertest"
	"goldm/server-agent/cluster"
	"goldm/server-agent/control"
	"goldm/server-agent/control/server"
)

const anna, mallory = peertest.Stranger, peertest.Stranger + 1

// besieged is a daemon that knows anna and mallory by their numbers, and nobody else.
type besieged struct {
	t       *testing.T
	socket  string
	cluster *cluster.Cluster
	lookups atomic.Int32 // at a time
	most    atomic.Int32
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	peertest.NeedRoot(t)
	b := &besieged{t: t, socket: filepath.Join(peertest.Folder(t), "sock")}
	l, err := net.Listen("unix", b.socket)
	if err != nil {
		t.Fatal(err)
	}
	peertest.Open(t, b.socket)
	s := server.New(server.Config{
		Name: "here", DrainFile: b.socket + ".drained", User: b.user, Log: slog.New(slog.DiscardHandler),
	})
	if b.cluster, err = cluster.New(cluster.Config{Self: cluster.Server{Name: "here"}, End: s.End}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx, l, b.cluster); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return b
}

// user takes its time, as getent does.
func (b *besieged) user(ctx context.Context, uid int) (string, error) {
	b.most.Store(max(b.most.Load(), b.lookups.Add(1)))
	defer b.lookups.Add(-1)
	time.Sleep(time.Millisecond)
	switch uid {
	case anna:
		return "anna", nil
	case mallory:
		return "mallory", nil
	}
	return "", errors.New("no such user")
}

func (b *besieged) dial(uid int) net.Conn {
	b.t.Helper()
	return peertest.MustDial(b.t, uid, b.socket)
}

// register registers a session, and returns what is wrong.
func (b *besieged) register(uid int, id string) error {
	b.t.Helper()
	return b.registerAs(uid, control.Register{ID: id})
}

func (b *besieged) registerAs(uid int, r control.Register) error {
	b.t.Helper()
	r.Client, r.Began = "station", began
	conn := b.dial(uid)
	conn.SetDeadline(time.Now().Add(soon))
	if err := control.Write(conn, &r, control.MaxRequest); err != nil {
		return err
	}
	answer, err := control.NewReader(conn, control.MaxReply).Read()
	if err != nil {
		return err
	}
	switch answer := answer.(type) {
	case *control.Done:
		return errors.New(answer.Error)
	case *control.Registered:
		if len(answer.Held) > 0 {
			return errors.New("held")
		}
	}
	return nil
}

// Another user's sessions are no matter for a user that is to have one.
func TestOneSessionAUser(t *testing.T) {
	b := besiege(t)
	for n, tt := range []struct {
		uid  int
		held bool
	}{{anna, false}, {mallory, false}, {anna, true}} {
		if err := b.registerAs(tt.uid, control.Register{ID: fmt.Sprint(n), One: true}); (err != nil) != tt.held {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// Connections that say nothing, or a byte now and then, keep no other user's session out.
func TestAttackSocket(t *testing.T) {
	b := besiege(t)
	oldest := b.dial(mallory)
	for n := range 2 * server.MaxWaiting {
		io.WriteString(b.dial(mallory), `{"type":"reg`[:n%12])
		if n%200 == 70 {
			if err := b.register(anna, fmt.Sprint("anna", n)); err != nil {
				t.Fatalf("beside %d connections: %v", n, err)
			}
		}
	}
	oldest.SetDeadline(time.Now().Add(soon))
	if _, err := oldest.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the oldest connection of the user with the most stays")
	}
}

// Users without a name, of which each user may have 65,536, count as one, and cost few lookups.
func TestAttackSubordinateUsers(t *testing.T) {
	b := besiege(t)
	if err := b.register(anna, "before"); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for n := range 2 * server.MaxWaiting {
		uid := 200_000 + n
		b.dial(uid)
		if n%10 == 0 && b.register(uid, fmt.Sprint("nobody", n)) == nil {
			kept++
		}
	}
	if kept == 0 || kept > 128 {
		t.Errorf("users without a name have %d sessions", kept)
	}
	if err := b.register(anna, "after"); err != nil {
		t.Error(err)
	}
	if err := b.register(mallory, "mallory"); err != nil { // who was never seen before
		t.Error(err)
	}
	if most := b.most.Load(); most > 8 {
		t.Errorf("%d lookups at a time", most)
	}
}

// A user that registers sessions without end has its own bound, and loses nobody else's.
func TestAttackSessions(t *testing.T) {
	b := besiege(t)
	if err := b.register(anna, "anna"); err != nil {
		t.Fatal(err)
	}
	var wrong error
	for n := range 300 {
		wrong = b.register(mallory, fmt.Sprint("mallory", n))
	}
	if wrong == nil || !strings.Contains(wrong.Error(), "enough") {
		t.Errorf("300 sessions of a user: %v", wrong)
	}
	if err := b.register(anna, "anna2"); err != nil {
		t.Error(err)
	}
	count := make(map[string]int)
	for _, s := range b.cluster.Sessions() {
		count[s.User]++
	}
	if count["anna"] != 2 || count["mallory"] != 128 {
		t.Errorf("sessions: %v", count)
	}
}

// Connections without a session, which have sent most of a request, take no more memory than
// the constant tells.
func TestAttackPeerMemory(t *testing.T) {
	b := besiege(t)
	before := memory()
	for range server.MaxWaiting {
		io.WriteString(b.dial(anna), `{"type":"register","client":"`+strings.Repeat("x", control.MaxRequest-100))
	}
	var grown int64
	for range 10 {
		time.Sleep(50 * time.Millisecond) // until all has been read
		grown = max(grown, memory()-before)
	}
	t.Logf("%d bytes each", grown/server.MaxWaiting)
	if grown > server.MaxWaiting*server.PeerMemory {
		t.Errorf("%d connections take %d bytes", server.MaxWaiting, grown)
	}
}

// memory is what heap and stacks take.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
