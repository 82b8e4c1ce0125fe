package x11

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

// testCookie is what programs of this machine show.
var testCookie = []byte("fedcba9876543210")

// forwardHere makes a forwarder for programs of this machine, on a socket of its
// own.
func forwardHere(t testing.TB, display *Display, log io.Writer) *forwarded {
	t.Helper()
	if log == nil {
		log = t.Output()
	}
	f, err := NewLocalForwarder(Config{Display: display, Log: slog.New(slog.NewTextHandler(log, nil)), Cookie: testCookie})
	if err != nil {
		t.Fatal(err)
	}
	number, listener := listenAbstract(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			serving.Go(func() { f.ServeLocal(context.Background(), conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		f.Close()
		serving.Wait()
	})
	shown := &forwarded{
		forwarder: f,
		authority: filepath.Join(t.TempDir(), "Xauthority"),
		display:   &Display{Number: number, AuthName: xauth.MITMagicCookie, AuthData: testCookie},
	}
	xtest.WriteAuthority(t, shown.authority, xauth.Entry{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: testCookie})
	return shown
}

// listenAbstract takes a display's abstract name, which programs try first.
func listenAbstract(t testing.TB) (number int, l *net.UnixListener) {
	t.Helper()
	for number := 200; number < 1000; number++ {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("@/tmp/.X11-unix/X%d", number), Net: "unix"})
		if err == nil {
			return number, l
		}
	}
	t.Fatal("no display's name is free")
	return 0, nil
}

// sendWith sends bytes with descriptors beside the first, which stay open here.
func (c *rawClient) sendWith(b []byte, fds ...int) {
	c.t.Helper()
	type writer interface {
		WriteMsgUnix(b, oob []byte, to *net.UnixAddr) (int, int, error)
	}
	if _, _, err := c.conn.(writer).WriteMsgUnix(b, unix.UnixRights(fds...), nil); err != nil {
		c.t.Fatalf("write with %d descriptors: %v", len(fds), err)
	}
}

// withDescriptors makes the client keep descriptors that come.
func (c *rawClient) withDescriptors() *socket {
	s := newSocket(c.conn.(*net.UnixConn), maxFromServer)
	c.conn = s
	c.t.Cleanup(s.drop)
	return s
}

// memory returns a descriptor of memory with this content.
func memory(t testing.TB, content []byte) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.Write(fd, content); err != nil {
		t.Fatal(err)
	}
	return fd
}

// anonymous returns a descriptor of no file, which stands for a buffer of a
// graphics device.
func anonymous(t testing.TB) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// watched returns the end of a pipe to send, and a check that nobody has it open
// any more.
func watched(t testing.TB) (fd int, closed func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return int(w.Fd()), func() {
		t.Helper()
		w.Close()
		r.SetReadDeadline(time.Now().Add(patience))
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a descriptor is still open: %v", err)
		}
	}
}

// id returns a resource number of the client's own.
func (c *rawClient) id(n uint32) uint32 { return c.order.Uint32(c.setup[12:]) + n }

// words encodes numbers.
func words(o x11.Order, numbers ...uint32) (b []byte) {
	for _, n := range numbers {
		b = o.AppendUint32(b, n)
	}
	return b
}

const side = 16 // of test pictures, in pixels of 4 bytes

// putShared encodes a ShmPutImage to the root window.
func (c *rawClient) putShared(major byte, gc, segment uint32) []byte {
	o := c.order
	b := words(o, c.root(), gc)
	for _, n := range []uint16{side, side, 0, 0, side, side, 0, 0} {
		b = o.AppendUint16(b, n)
	}
	b = append(b, 24, 2, 0, 0) // depth, ZPixmap
	return request(o, major, shmPutImage, append(b, words(o, segment, 0)...)...)
}

// image returns what is on the screen.
func (c *rawClient) image() []byte {
	o := c.order
	b := words(o, c.root(), 0)
	b = o.AppendUint16(o.AppendUint16(b, side), side)
	c.send(request(o, 73, 2, o.AppendUint32(b, 0xffffff)...)) // GetImage, ZPixmap
	return c.reply()[x11.AnswerHead:]
}

// picture returns a picture that is not black.
func (c *rawClient) picture(seed byte) []byte {
	picture := make([]byte, 4*side*side)
	for i := range picture {
		if i%4 != c.unusedByte() {
			picture[i] = seed + byte(i*7)
		}
	}
	return picture
}

// A program's own memory, in either byte order.
func TestSharedPictures(t *testing.T) {
	s := forwardHere(t, displayOf(xtest.Start(t)), nil)
	orders(t, func(t *testing.T, o x11.Order) {
		c := connect(t, s.display, o, x11.SetupAccepted)
		shm, gc := c.query("MIT-SHM"), c.newGC()
		picture := c.picture(1)
		c.sendWith(request(o, shm.Major, shmAttachFd, words(o, c.id(8), 0)...), memory(t, picture))
		c.send(c.putShared(shm.Major, gc, c.id(8)))
		if !bytes.Equal(c.image(), picture) {
			t.Error("the picture from the program's memory is another one")
		}
		c.send(request(o, shm.Major, shmDetach, words(o, c.id(8))...))
		c.send(request(o, getInputFocus, 0))
		c.reply()
	})
}

// The X server's memory. In the other byte order X servers forget to turn the
// reply's numbers round, and libraries find no reply.
func TestSharedPicturesOfServer(t *testing.T) {
	s := forwardHere(t, displayOf(xtest.Start(t)), nil)
	o := x11.LittleEndian
	c := connect(t, s.display, o, x11.SetupAccepted)
	files := c.withDescriptors()
	shm, gc := c.query("MIT-SHM"), c.newGC()
	picture := c.picture(1)
	c.send(request(o, shm.Major, shmCreateSegment, words(o, c.id(9), uint32(len(picture)), 0)...))
	reply, given := c.reply(), files.take(2)
	if reply[1] != 1 || len(given) != 1 {
		t.Fatalf("the reply speaks of %d descriptors, %d came", reply[1], len(given))
	}
	defer unix.Close(given[0])
	shared, err := unix.Mmap(given[0], 0, len(picture), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(shared)
	copy(shared, picture)
	c.send(c.putShared(shm.Major, gc, c.id(9)))
	if !bytes.Equal(c.image(), picture) {
		t.Error("the picture from the X server's memory is another one")
	}
	clear(shared)
	get := o.AppendUint16(o.AppendUint16(words(o, c.root(), 0), side), side)
	c.send(request(o, shm.Major, shmGetImage, append(get, words(o, 0xffffff, 2, c.id(9), 0)...)...))
	c.reply()
	if !bytes.Equal(shared, picture) {
		t.Error("the picture in the X server's memory is another one")
	}
}

// The extensions that a program of this machine has are the remote ones and three.
func TestLocalExtensions(t *testing.T) {
	server := xtest.Start(t)
	s := forwardHere(t, displayOf(server), nil)
	c := connect(t, s.display, x11.LittleEndian, x11.SetupAccepted)
	for name, want := range map[string]bool{
		"MIT-SHM": true, "Present": true, "RENDER": true, "GLX": true, "XTEST": true,
		"RECORD": false, "SECURITY": false, "X-Resource": false, "DRI2": false,
	} {
		if got := c.query(name).Present; got != want {
			t.Errorf("%s: present %t", name, got)
		}
	}
	c.send(request(c.order, x11.ListExtensions, 0))
	list := c.reply()
	for _, name := range []string{"RECORD", "SECURITY", "X-Resource"} {
		if bytes.Contains(list, []byte(name)) {
			t.Errorf("%s is listed", name)
		}
	}
	if !bytes.Contains(list, []byte("MIT-SHM")) {
		t.Error("MIT-SHM is not listed")
	}
}

// Real programs run.
func TestLocalPrograms(t *testing.T) {
	s := forwardHere(t, displayOf(xtest.Start(t)), nil)
	for _, args := range [][]string{{"xdpyinfo"}, {"glxinfo"}, {"xterm", "-e", "true"}, {"gtk3-demo", "--run=pixbufs", "--autoquit"}} {
		t.Run(args[0], func(t *testing.T) {
			if out, err := s.run(t, args...); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
