package link

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Shape is what a link is like, each way.
type Shape struct {
	Delay time.Duration // of each packet; half of a round trip
	Rate  int64         // bits a second; 0 for as fast as it goes
	Queue int           // bytes that may wait for the line; 0 for DefaultQueue
}

// DefaultQueue is about what a switch has for a port.
const DefaultQueue = 512 << 10

// Config says what a Link connects. It closes the devices.
type Config struct {
	A, B  *os.File
	Head  int // bytes at a packet's beginning that are not sent: a TUN device's virtio_net_hdr
	Shape Shape
}

// Traffic is what went one way.
type Traffic struct {
	Packets, Bytes int64
	Dropped        int64 // packets, of which neither other number knows
}

// Link connects two devices. Its methods may be called from several goroutines.
type Link struct {
	a, b  *os.File
	stop  *os.File // readable once the link is to end
	end   *os.File
	shape atomic.Pointer[Shape]
	there line
	back  line

	close sync.Once
	ran   sync.WaitGroup
	errs  [2]error
}

// New connects the devices of c until Close.
func New(c Config) (*Link, error) {
	l := &Link{a: c.A, b: c.B}
	var err error
	if l.stop, l.end, err = os.Pipe(); err != nil {
		return nil, err
	}
	l.Set(c.Shape)
	a, b, stop := int(c.A.Fd()), int(c.B.Fd()), int(l.stop.Fd())
	for _, fd := range []int{a, b} {
		if err := unix.SetNonblock(fd, true); err != nil { // Fd may have made it block
			return nil, errors.Join(err, l.stop.Close(), l.end.Close())
		}
	}
	l.there = line{from: a, to: b, stop: stop, head: c.Head, shape: &l.shape}
	l.back = line{from: b, to: a, stop: stop, head: c.Head, shape: &l.shape}
	l.ran.Go(func() { l.errs[0] = l.there.run() })
	l.ran.Go(func() { l.errs[1] = l.back.run() })
	return l, nil
}

// Set changes what the link is like for packets that come from now on.
func (l *Link) Set(s Shape) {
	if s.Queue == 0 {
		s.Queue = DefaultQueue
	}
	l.shape.Store(&s)
}

// Count returns what went from A to B and from B to A so far.
func (l *Link) Count() (there, back Traffic) { return l.there.count(), l.back.count() }

// Close ends the link, drops what is on its way and closes the devices. The
// error is that of a device, if one had any.
func (l *Link) Close() error {
	l.close.Do(func() {
		l.end.Close() // the other end is at its end of file
		l.ran.Wait()
		l.stop.Close()
		l.a.Close()
		l.b.Close()
	})
	return errors.Join(l.errs[:]...)
}
