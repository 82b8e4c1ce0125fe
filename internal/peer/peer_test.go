package peer

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldm/internal/peer/peertest"
)

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	path := filepath.Join(peertest.Folder(t), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	peertest.Open(t, path)
	return l, path
}

func TestOf(t *testing.T) {
	peertest.NeedRoot(t)
	l, path := listen(t)
	for _, uid := range []int{0, peertest.Stranger} {
		client := peertest.MustDial(t, uid, path)
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		at, err := Of(server)
		if err != nil || at.UID != uid || at.PID != os.Getpid() || at.Program() == "" {
			t.Errorf("from the server: %+v %q, %v", at, at.Program(), err)
		}
		if at, err := Of(client); err != nil || at.UID != 0 {
			t.Errorf("from the client: %+v, %v", at, err)
		}
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if at, err := Of(near); err == nil {
		t.Errorf("a pipe has the peer %+v", at)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if at, err := Of(conn); err == nil {
		t.Errorf("TCP has the peer %+v", at)
	}
}

func TestNoProgram(t *testing.T) {
	if name := (Peer{PID: -1}).Program(); name != "" {
		t.Errorf("%q", name)
	}
}

func TestQueue(t *testing.T) {
	q := NewQueue[string](4)
	var gone []string
	take := func(owner, name string) *Place[string] {
		return q.Take(owner, func() { gone = append(gone, name) })
	}
	a1 := take("a", "a1")
	b1 := take("b", "b1")
	take("a", "a2")
	take("c", "c1")
	take("d", "d1") // of a, which has the most, the oldest
	if !slices.Equal(gone, []string{"a1"}) || a1.Leave() {
		t.Errorf("gone: %v", gone)
	}
	take("c", "c2") // all have one: the oldest of all
	if !slices.Equal(gone, []string{"a1", "b1"}) || b1.Leave() {
		t.Errorf("gone: %v", gone)
	}
	d2 := take("d", "d2") // of c and d, which have two, the older
	if d2.Leave() != true || d2.Leave() != false {
		t.Error("a place is left once")
	}
	take("e", "e1") // in the place that d2 left
	if want := []string{"a1", "b1", "c1"}; !slices.Equal(gone, want) {
		t.Errorf("gone: %v, want %v", gone, want)
	}
	for range 4 {
		q.Shed()
	}
	q.Shed() // when nothing is left
	if want := []string{"a1", "b1", "c1", "a2", "d1", "c2", "e1"}; !slices.Equal(gone, want) {
		t.Errorf("gone: %v, want %v", gone, want)
	}
	if len(q.owners) != 0 || q.taken != 0 {
		t.Errorf("left: %v, %d", q.owners, q.taken)
	}
}

// One user's flood takes neither the places of the session's user nor the only one of root.
func TestAttackGate(t *testing.T) {
	peertest.NeedRoot(t)
	const owner, others = 54320, 4
	l, path := listen(t)
	g := NewGate(owner, 2, others)
	enter := func(uid int) *Visitor {
		peertest.MustDial(t, uid, path)
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		v, err := g.Enter(conn)
		if err != nil || v.UID != uid {
			t.Fatalf("%+v, %v", v, err)
		}
		return v
	}
	own, root := enter(owner), enter(0)
	oldest := enter(peertest.Stranger)
	for range 1000 {
		enter(peertest.Stranger)
	}
	if !own.Leave() || !root.Leave() {
		t.Error("a stranger takes another's place")
	}
	if oldest.Leave() {
		t.Error("the stranger's oldest stays")
	}
}

func TestAttackRefusals(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	r := NewRefusals(slog.New(slog.NewTextHandler(&out, nil)))
	r.now = func() time.Time { return now }
	for range 1000 {
		r.Add("cookie", "uid", 1)
	}
	r.Add("time", "uid", 2)
	now = now.Add(quiet)
	r.Add("cookie", "uid", 3)
	r.Add("time", "uid", 4)
	r.Add("time", "uid", 5)
	r.Close()
	r.Close()
	var got []string
	for line := range strings.Lines(out.String()) {
		_, attrs, _ := strings.Cut(strings.TrimSpace(line), "msg=")
		got = append(got, attrs)
	}
	want := []string{
		"refused rule=cookie times=1 uid=1",
		"refused rule=time times=1 uid=2",
		"refused rule=cookie times=1000 uid=3",
		"refused rule=time times=1 uid=4",
		"refused rule=time times=1 uid=5",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for n := range 2 * maxRules {
		r.Add(strings.Repeat("x", n))
	}
	if len(r.rules) > maxRules {
		t.Errorf("%d rules", len(r.rules))
	}
}
