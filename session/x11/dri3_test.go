package x11

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"goldm/internal/x11"
)

const (
	fakeDRI3    = 149
	fakeShm     = 130
	fakeSetupID = 0x400000
)

// fakeServer is an X server that has DRI3, which Xvfb and Xorg's dummy driver
// have not: they have no graphics device. As X servers do it keeps descriptors
// in order and takes the oldest for a request that has some.
type fakeServer struct {
	t       testing.TB
	gives   []int // descriptors beside replies
	display *Display
	serving sync.WaitGroup

	mu  sync.Mutex
	log []string // requests that had descriptors
}

func startFake(t testing.TB, gives ...int) *fakeServer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "X")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{t: t, gives: gives, display: &Display{Path: path}}
	f.serving.Go(func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			f.serving.Go(func() { f.serve(newSocket(conn, 1000)) })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return f
}

// serve serves one client.
func (f *fakeServer) serve(s *socket) {
	defer s.Close()
	defer s.drop()
	setup, err := x11.ReadSetupRequest(s, maxAuth)
	if err != nil {
		return
	}
	o := setup.Order
	answer := accepted(o, 8)
	o.PutUint32(answer[12:], fakeSetupID)
	o.PutUint32(answer[16:], 0x1fffff)
	s.Write(answer)
	for sequence := uint16(1); ; sequence++ {
		head := make([]byte, 4)
		if _, err := io.ReadFull(s, head); err != nil {
			return
		}
		body := make([]byte, 4*int(o.Uint16(head[2:]))-4)
		if _, err := io.ReadFull(s, body); err != nil {
			return
		}
		f.answer(s, o, sequence, append(head, body...))
	}
}

// answer answers a request.
func (f *fakeServer) answer(s *socket, o x11.Order, sequence uint16, request []byte) {
	reply := message(o, x11.Reply, 0, sequence)
	switch request[0] {
	case x11.Unassigned:
		s.Write(errorMessage(o, x11.BadRequest, sequence, 0, uint16(request[1])))
		return
	case x11.QueryExtension:
		name := request[8 : 8+o.Uint16(request[4:])]
		if major, ok := map[string]byte{"DRI3": fakeDRI3, "MIT-SHM": fakeShm}[string(name)]; ok {
			reply[8], reply[9] = 1, major
		}
	case fakeDRI3:
		f.share(s, o, reply, request)
		return
	}
	s.Write(reply)
}

// share answers a request of DRI3.
func (f *fakeServer) share(s *socket, o x11.Order, reply, request []byte) {
	takes, gives := 0, 0
	switch request[1] {
	case dri3PixmapFromBuffer, dri3FenceFromFD, dri3ImportSyncobj:
		takes = 1
	case dri3PixmapFromBuffers:
		takes = int(request[12])
	case dri3Open, dri3BufferFromPixmap, dri3FDFromFence:
		gives = 1
	case dri3BuffersFromPixmap:
		gives = 2
		reply = message(o, x11.Reply, 0, x11.Sequence(o, reply), make([]byte, 16)...)
	}
	if takes > 0 {
		fds := s.take(takes)
		f.mu.Lock()
		f.log = append(f.log, fmt.Sprintf("%d with %d: %v", request[1], takes, inodes(fds)))
		f.mu.Unlock()
		closeAll(fds)
		return
	}
	if reply[1] = byte(gives); gives == 0 {
		s.Write(reply)
		return
	}
	// As X servers do: beside the first byte of all that was written by then.
	event := message(o, 12, 0, x11.Sequence(o, reply))
	s.WriteMsgUnix(slices.Concat(event, reply), unix.UnixRights(f.gives[:gives]...), nil)
}

// requests returns what had descriptors.
func (f *fakeServer) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// inodes says which file each descriptor is of.
func inodes(fds []int) (all []uint64) {
	for _, fd := range fds {
		var s unix.Stat_t
		unix.Fstat(fd, &s)
		all = append(all, s.Ino)
	}
	return all
}

// buffers encodes a PixmapFromBuffers of n.
func buffers(o x11.Order, n byte) []byte {
	b := request(o, fakeDRI3, dri3PixmapFromBuffers, make([]byte, 60)...)
	b[12] = n
	return b
}

// settled waits until the server has seen all before.
func (c *rawClient) settled() {
	c.t.Helper()
	c.send(request(c.order, getInputFocus, 0))
	c.reply()
}

// Each request has its own descriptors at the server, each reply its own at the
// program.
func TestDRI3(t *testing.T) {
	device, other := memory(t, []byte("device")), memory(t, []byte("other"))
	fake := startFake(t, device, other)
	s := forwardHere(t, fake.display, nil)
	orders(t, func(t *testing.T, o x11.Order) {
		before := len(fake.requests())
		c := connect(t, s.display, o, x11.SetupAccepted)
		files := c.withDescriptors()
		fence, two := memory(t, []byte("fence")), anonymous(t)
		// As libxcb does: all descriptors beside the first byte of a batch.
		c.sendWith(slices.Concat(
			request(o, getInputFocus, 0),
			request(o, fakeDRI3, dri3FenceFromFD, make([]byte, 12)...),
			request(o, getInputFocus, 0),
			buffers(o, 2),
			request(o, fakeDRI3, dri3PixmapFromBuffer, make([]byte, 20)...),
			request(o, fakeDRI3, dri3ImportSyncobj, make([]byte, 8)...),
		), fence, two, two, two, two)
		c.reply()
		c.reply()
		c.settled()
		f, b := inodes([]int{fence}), inodes([]int{two, two})
		want := []string{
			fmt.Sprintf("4 with 1: %v", f), fmt.Sprintf("7 with 2: %v", b), fmt.Sprintf("2 with 1: %v", b[:1]), fmt.Sprintf("10 with 1: %v", b[:1]),
		}
		if got := fake.requests()[before:]; !slices.Equal(got, want) {
			t.Errorf("the server got %q, expected %q", got, want)
		}

		for minor, n := range map[byte]int{dri3Open: 1, dri3BufferFromPixmap: 1, dri3FDFromFence: 1, dri3BuffersFromPixmap: 2} {
			c.send(request(o, fakeDRI3, minor, make([]byte, dri3Forms[minor].size-4)...))
			reply := c.reply()
			given := files.take(10)
			if int(reply[1]) != n || !slices.Equal(inodes(given), inodes([]int{device, other}[:n])) {
				t.Errorf("request %d: %d descriptors, %v", minor, reply[1], inodes(given))
			}
			closeAll(given)
		}
		c.send(request(o, fakeDRI3, dri3Modifiers, make([]byte, 8)...))
		c.reply()
	})
}
