package ldm

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/seccomp"
)

// again is how soon the log names a refused call again that a program repeats.
const again = time.Minute

// refusals logs what the kernel refuses a program of ours: only one in somebody's
// hands asks for it.
type refusals struct {
	log    *slog.Logger
	socket *net.UnixConn // on which the program's fence hands over its filter's file
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	listener *os.File // nil until it has come

	seen map[string]*repeats // by the call's name; the goroutine's
}

// repeats is a call that was refused before.
type repeats struct {
	logged time.Time
	silent int // how often since then
}

// newRefusals returns refusals and the socket for the fence. The fence closes it by
// becoming the program.
func newRefusals(log *slog.Logger) (*refusals, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "refusals"), os.NewFile(uintptr(fds[1]), "refusals")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		theirs.Close()
		return nil, nil, errors.New("socketpair: not a Unix socket")
	}
	r := &refusals{log: log, socket: socket, seen: make(map[string]*repeats)}
	r.work.Go(r.listen)
	return r, theirs, nil
}

func (r *refusals) listen() {
	listener, err := r.receive()
	if err == nil && listener != nil && r.take(listener) {
		err = seccomp.Listen(listener, r.refused)
	}
	if err != nil && !r.isClosed() {
		r.log.Error("refused calls are not logged", "cause", err)
	}
	for call, s := range r.seen {
		if s.silent > 0 {
			r.log.Warn("refused", "rule", "seccomp", "call", call, "unlogged", s.silent)
		}
	}
}

// receive waits for the filter's file; nil where the fence ended without.
func (r *refusals) receive() (*os.File, error) {
	control := make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := r.socket.ReadMsgUnix(make([]byte, 1), control)
	if err != nil || n == 0 {
		return nil, nil // without seccomp, or the fence's own words say why
	}
	messages, err := unix.ParseSocketControlMessage(control[:size])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(err, errors.New("no file of the filter"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.Join(err, errors.New("no file of the filter"))
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that it can be waited on, and closed
		return nil, errors.Join(err, unix.Close(fds[0]))
	}
	return os.NewFile(uintptr(fds[0]), "refusals"), nil
}

// take makes the listener close's to close, unless that was called.
func (r *refusals) take(listener *os.File) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		listener.Close()
		return false
	}
	r.listener = listener
	return true
}

func (r *refusals) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

func (r *refusals) refused(call string) {
	s := r.seen[call]
	if s == nil {
		s = new(repeats)
		r.seen[call] = s
	}
	if time.Since(s.logged) < again {
		s.silent++
		return
	}
	r.log.Warn("refused", "rule", "seccomp", "call", call, "unlogged", s.silent)
	s.logged, s.silent = time.Now(), 0
}

// close ends it; the program has ended.
func (r *refusals) close() {
	r.mu.Lock()
	r.closed = true
	r.socket.Close()
	if r.listener != nil {
		r.listener.Close()
	}
	r.mu.Unlock()
	r.work.Wait()
}
