package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/testbed"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

// fakeWorker is the worker of a login, played by the test: ldm has started a
// program that hands its socket over.
type fakeWorker struct {
	s      *station
	conn   *wire.Conn
	raw    *os.File // the same socket
	stop   func()   // ends the program
	heard  chan wire.Message
	screen *wire.Screen // the session's X server
	server *testbed.Cmd // of the home
}

// fakeWorkers replaces ldm-session on a station's client, before it starts.
func fakeWorkers(t *testing.T) option {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ldm-session")
	build := exec.Command("go", "build", "-o", path, "../fakeworker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(c *testbed.Config) { c.ClientPrograms = []string{program("ldm"), program("ldm-greeter"), path} }
}

// fakeLogin logs a user in whom no server knows, and returns the worker of the
// session, which has begun.
func (s *station) fakeLogin(user string) *fakeWorker {
	s.t.Helper()
	listener, err := s.Client.Listen(s.t.Context(), "unix", "/tmp/fakeworker.socket")
	s.must(err)
	defer s.Client.Output(s.t.Context(), "rm", "/tmp/fakeworker.socket")
	defer listener.Close()
	conn := s.dial()
	s.must(greetd.WriteRequest(conn, &greetd.CreateSession{Username: user}))
	w := s.takeWorker(listener)
	hear[*wire.Login](w)
	w.send(&wire.Authenticated{Server: "server"})
	expect[*greetd.Success](s.t, s.read(conn))
	expect[*greetd.Success](s.t, s.call(conn, &greetd.StartSession{}))
	conn.Close()
	hear[*wire.Start](w)
	w.screen = hear[*wire.Screen](w)
	w.send(&wire.Started{})
	return w
}

func (s *station) takeWorker(listener net.Listener) *fakeWorker {
	s.t.Helper()
	socket, stop := s.takeSocket(listener)
	copied, err := unix.Dup(int(socket.Fd()))
	s.must(err)
	w := &fakeWorker{s: s, raw: os.NewFile(uintptr(copied), "ldm"), stop: stop, heard: make(chan wire.Message, 4096)}
	w.conn, err = wire.Worker(socket)
	s.must(err)
	go w.listen()
	s.t.Cleanup(w.close)
	return w
}

// takeSocket returns ldm's socket that a program hands over, and what ends the program.
func (s *station) takeSocket(listener net.Listener) (socket *os.File, stop func()) {
	s.t.Helper()
	peer, err := listener.Accept()
	s.must(err)
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := peer.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), control)
	s.must(err)
	messages, err := unix.ParseSocketControlMessage(control[:n])
	s.must(err)
	fds, err := unix.ParseUnixRights(&messages[0])
	s.must(err)
	return os.NewFile(uintptr(fds[0]), "ldm"), func() { peer.Close() }
}

// listen hears what ldm says until the session is over, and answers for the home.
func (w *fakeWorker) listen() {
	defer close(w.heard)
	defer w.stop() // as the program would end
	for {
		m, err := w.conn.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *wire.NeedHome:
			w.giveHome(m.ID)
		case *wire.Ping:
			w.conn.Send(&wire.Pong{ID: m.ID})
		default:
			w.heard <- m
		}
	}
}

// giveHome serves the client's own /home/anna, as a server would its home.
func (w *fakeWorker) giveHome(id uint32) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "home"), os.NewFile(uintptr(fds[1]), "home")
	defer ours.Close()
	defer theirs.Close()
	w.server = w.s.Server.Command(w.s.t.Context(), "anna", "/usr/lib/openssh/sftp-server")
	w.server.Stdin, w.server.Stdout = ours, ours
	if w.server.Start() == nil {
		w.conn.Send(&wire.Home{ID: id, Paths: []string{"/home/anna"}, Files: []*os.File{theirs}})
	}
}

func (w *fakeWorker) close() {
	w.stop()
	w.conn.Close()
	w.raw.Close()
}

func (w *fakeWorker) send(m wire.Message) {
	w.s.t.Helper()
	w.s.must(w.conn.Send(m))
}

// sendRaw sends a packet as it is.
func (w *fakeWorker) sendRaw(packet []byte) error {
	return unix.Send(int(w.raw.Fd()), packet, unix.MSG_NOSIGNAL)
}

// next is what ldm says next.
func (w *fakeWorker) next() wire.Message {
	w.s.t.Helper()
	select {
	case m, ok := <-w.heard:
		if !ok {
			w.s.t.Fatal("ldm has hung up")
		}
		return m
	case <-time.After(limit):
		w.s.t.Fatal("ldm says nothing")
	}
	return nil
}

// hear is what ldm says next, which has to be an M.
func hear[M wire.Message](w *fakeWorker) M {
	w.s.t.Helper()
	m := w.next()
	wanted, ok := m.(M)
	if !ok {
		w.s.t.Fatalf("got %T %+v, want %T", m, m, wanted)
	}
	return wanted
}

// run has a program run, and returns the last that is said of it.
func (w *fakeWorker) run(id uint32, args ...string) *wire.Ran {
	w.s.t.Helper()
	w.send(&wire.Run{ID: id, Args: args})
	for {
		if r := hear[*wire.Ran](w); r.ID == id && r.State != wire.Running {
			return r
		}
	}
}
