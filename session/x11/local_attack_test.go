package x11

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// record is a log to look at.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), what)
}

// A segment by its number is another program's: it cannot be attached, and one
// that another client has attached cannot be used.
func TestAttackSegmentByNumber(t *testing.T) {
	server := xtest.Start(t)
	number, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4*side*side, unix.IPC_CREAT|0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.SysvShmCtl(number, unix.IPC_RMID, nil)
	var log record
	s := forwardHere(t, displayOf(server), &log)
	orders(t, func(t *testing.T, o x11.Order) {
		victim := connect(t, displayOf(server), o, x11.SetupAccepted)
		shm := victim.query("MIT-SHM").Major
		victim.send(request(o, shm, shmAttach, words(o, victim.id(8), uint32(number), 0)...))
		victim.settled()

		c := connect(t, s.display, o, x11.SetupAccepted)
		gc := c.newGC()
		c.send(request(o, shm, shmAttach, words(o, c.id(8), uint32(number), 0)...))
		checkError(t, o, c.next(), x11.BadAccess, shm, shmAttach, 2)
		get := o.AppendUint16(o.AppendUint16(words(o, c.root(), 0), side), side)
		pixmap := o.AppendUint16(o.AppendUint16(words(o, c.id(20), c.root()), side), side)
		for minor, bad := range map[byte][]byte{
			shmPutImage:     c.putShared(shm, gc, victim.id(8)),
			shmGetImage:     request(o, shm, shmGetImage, append(get, words(o, 0xffffff, 2, victim.id(8), 0)...)...),
			shmCreatePixmap: request(o, shm, shmCreatePixmap, append(pixmap, words(o, 24, victim.id(8), 0)...)...),
			shmDetach:       request(o, shm, shmDetach, words(o, victim.id(8))...),
		} {
			c.send(bad)
			if m := c.next(); x11.Kind(m) != x11.Error || x11.ErrorCode(m) != x11.BadRequest {
				t.Errorf("request %d of another's segment: %v", minor, m[:2])
			}
		}
		c.send(c.putShared(shm, gc, c.id(8))) // none that there is
		if m := c.next(); x11.Kind(m) != x11.Error {
			t.Error("a segment that does not exist was used")
		}
		victim.send(victim.putShared(shm, victim.newGC(), victim.id(8)))
		victim.settled()
	})
	if n := log.count("the shared segment is not the client's"); n != 2 { // one a client
		t.Errorf("the rule stands %d times in the log", n)
	}
}

// What taps, names or lets in other clients is refused by number, without asking
// for it by name.
func TestAttackExtensionsByNumber(t *testing.T) {
	server := xtest.Start(t)
	s := forwardHere(t, displayOf(server), nil)
	direct := connect(t, displayOf(server), x11.LittleEndian, x11.SetupAccepted)
	c := connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
	for i, name := range []string{"RECORD", "SECURITY", "X-Resource"} {
		extension := direct.query(name)
		if !extension.Present {
			t.Errorf("Xvfb has no %s: this shows nothing", name)
		}
		c.send(request(c.order, extension.Major, 0, 1, 0, 0, 0))
		checkError(t, c.order, c.next(), x11.BadRequest, extension.Major, 0, uint16(i+1))
	}
}

// Descriptors beside requests that have none are not kept.
func TestAttackStrayDescriptors(t *testing.T) {
	var log record
	s := forwardHere(t, displayOf(xtest.Start(t)), &log)
	o := x11.LittleEndian
	c := connect(t, s.display, o, x11.SetupAccepted)
	fd, closed := watched(t)
	c.sendWith(request(o, getInputFocus, 0), fd)
	c.reply()
	c.conn.Write(bytes.Repeat(request(o, x11.NoOperation, 0), maxAhead/4+1)) // it may be closed before the end
	c.ended()
	closed()
	s.forwarder.Close() // which waits
	if log.count(errStray.Error()) != 1 {
		t.Error("it does not stand in the log")
	}
}

func TestAttackDescriptorsBesideSetup(t *testing.T) {
	s := forwardHere(t, displayOf(xtest.Start(t)), nil)
	conn, err := s.display.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &rawClient{t: t, conn: conn, order: x11.LittleEndian}
	setup := x11.SetupRequest{Order: c.order, Major: 11, AuthName: s.display.AuthName, AuthData: s.display.AuthData}
	fd, closed := watched(t)
	c.sendWith(setup.Append(nil), fd)
	c.ended()
	closed()
}

// A flood of descriptors ends the client that sends it, and no other.
func TestAttackDescriptorFlood(t *testing.T) {
	s := forwardHere(t, displayOf(xtest.Start(t)), nil)
	o := x11.LittleEndian
	other := connect(t, s.display, o, x11.SetupAccepted)
	for name, beside := range map[string]int{"at once": 250, "one by one": 1} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, s.display, o, x11.SetupAccepted)
			fd, closed := watched(t)
			fds := slices.Repeat([]int{fd}, beside)
			for sent := 0; sent < 1000; sent += beside {
				_, _, err := c.conn.(interface {
					WriteMsgUnix(b, oob []byte, to *net.UnixAddr) (int, int, error)
				}).WriteMsgUnix(request(o, x11.NoOperation, 0), unix.UnixRights(fds...), nil)
				if err != nil {
					break // it has ended already
				}
			}
			c.ended()
			closed()
		})
	}
	other.settled()
}

// What is no memory is not mapped by the X server, what is no buffer does not
// reach it, and a request without its descriptors has an error and no others'.
func TestAttackWrongDescriptors(t *testing.T) {
	fake := startFake(t)
	var log record
	s := forwardHere(t, fake.display, &log)
	o := x11.LittleEndian
	file, err := os.Create(filepath.Join("/var/tmp", "goldm-x11-test"))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	pipe, closed := watched(t)
	good, device := memory(t, nil), anonymous(t)
	fence := request(o, fakeDRI3, dri3FenceFromFD, make([]byte, 12)...)
	attach := request(o, fakeShm, shmAttachFd, make([]byte, 8)...)
	pixmap := request(o, fakeDRI3, dri3PixmapFromBuffer, make([]byte, 20)...)
	for name, tt := range map[string]struct {
		request []byte
		fds     []int
		code    byte
	}{
		"a pipe for a fence":     {fence, []int{pipe}, x11.BadRequest},
		"a pipe for a segment":   {attach, []int{pipe}, x11.BadRequest},
		"a file for a segment":   {attach, []int{int(file.Fd())}, x11.BadRequest},
		"a device for a segment": {attach, []int{device}, x11.BadRequest},
		"a pipe for a buffer":    {pixmap, []int{pipe}, x11.BadRequest},
		"memory for a buffer":    {pixmap, []int{good}, x11.BadRequest},
		"one of two":             {buffers(o, 2), []int{device, pipe}, x11.BadRequest},
		"none for a fence":       {fence, nil, x11.BadRequest},
		"too few":                {buffers(o, 3), []int{device, device}, x11.BadRequest},
		"none said":              {buffers(o, 0), []int{device}, x11.BadRequest},
		"more than there are":    {buffers(o, 5), slices.Repeat([]int{device}, 5), x11.BadRequest},
		"all that a byte holds":  {buffers(o, 255), slices.Repeat([]int{device}, 10), x11.BadRequest},
		"longer":                 {request(o, fakeDRI3, dri3FenceFromFD, make([]byte, 16)...), []int{good}, x11.BadLength},
		"shorter":                {request(o, fakeShm, shmAttachFd), []int{good}, x11.BadLength},
		"very long":              {request(o, fakeShm, shmAttachFd, make([]byte, 200_000)...), []int{good}, x11.BadLength},
		"a later request":        {request(o, fakeDRI3, 12, 0, 0, 0, 0), nil, x11.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, s.display, o, x11.SetupAccepted)
			if len(tt.fds) == 0 {
				c.send(tt.request)
			} else {
				c.sendWith(tt.request[:4], tt.fds...)
				c.send(tt.request[4:])
			}
			checkError(t, o, c.next(), tt.code, tt.request[0], uint16(tt.request[1]), 1)
			c.settled()
		})
	}
	closed()
	if got := fake.requests(); len(got) > 0 {
		t.Errorf("the X server got %q", got)
	}
}

// A descriptor that comes in the middle of its request is the request's. None is
// waited for.
func TestAttackSplitRequest(t *testing.T) {
	fake := startFake(t)
	s := forwardHere(t, fake.display, nil)
	o := x11.LittleEndian
	c := connect(t, s.display, o, x11.SetupAccepted)
	fence := request(o, fakeDRI3, dri3FenceFromFD, make([]byte, 12)...)
	good := memory(t, nil)
	for at := 1; at < len(fence); at++ {
		c.send(fence[:at])
		c.sendWith(fence[at:], good)
		c.settled()
		if got := fake.requests(); len(got) != at {
			t.Fatalf("split at %d: the server got %q", at, got)
		}
	}
	c.send(fence)
	checkError(t, o, c.next(), x11.BadRequest, fakeDRI3, dri3FenceFromFD, uint16(2*len(fence)-1))
	c.sendWith(fence, good)
	c.settled()
	if got := fake.requests(); len(got) != len(fence) {
		t.Errorf("the server got %q", got)
	}
}

// A request that says to be long does not hide the descriptors of those within.
func TestAttackBigRequests(t *testing.T) {
	s := forwardHere(t, displayOf(xtest.Start(t)), nil)
	o := x11.LittleEndian
	c := connect(t, s.display, o, x11.SetupAccepted)
	shm := c.query("MIT-SHM").Major
	c.send(request(o, c.query("BIG-REQUESTS").Major, x11.BigReqEnable))
	c.reply()
	picture := c.picture(1)
	c.sendWith(bigRequest(o, shm, shmAttachFd, words(o, c.id(8), 0)...), memory(t, picture))
	gc := c.newGC()
	put := c.putShared(shm, gc, c.id(8))
	c.send(bigRequest(o, shm, shmPutImage, put[4:]...))
	if !bytes.Equal(c.image(), picture) {
		t.Error("requests with an extended length do not work")
	}
	// The segment's number stands where it would without the extended length.
	foreign := bigRequest(o, shm, shmPutImage, put[4:]...)
	o.PutUint32(foreign[36:], 0x1000)
	c.send(foreign)
	if m := c.next(); x11.ErrorCode(m) != x11.BadRequest {
		t.Errorf("another's segment in a long request: %v", m[:2])
	}
	fd, closed := watched(t)
	c.sendWith(bigRequest(o, x11.NoOperation, 0, slices.Repeat(request(o, shm, shmAttachFd, 0, 0, 0, 0, 0, 0, 0, 0), 100_000)...), fd)
	c.ended()
	closed()
}

// A program without the login's cookie is refused, and one that has the X
// server's own.
func TestAttackLocalCookie(t *testing.T) {
	display := displayOf(xtest.Start(t))
	s := forwardHere(t, display, nil)
	for _, cookie := range [][]byte{nil, make([]byte, 16), display.AuthData, testCookie[:15]} {
		wrong := *s.display
		wrong.AuthData = cookie
		connect(t, &wrong, x11.LittleEndian, x11.SetupRefused).ended()
	}
}
