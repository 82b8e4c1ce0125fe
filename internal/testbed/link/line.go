package link

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxPacket is the longest packet, with its head: an IP packet of 64 KiB, which
// a TUN device passes on whole where the kernel leaves cutting it up to the
// device (TUN_F_TSO4).
const maxPacket = 64<<10 + 64

// line is one direction.
type line struct {
	from, to, stop int // file descriptors; from and to do not block
	head           int
	shape          *atomic.Pointer[Shape]

	packets, bytes, dropped atomic.Int64

	// The thread's own.
	free    time.Time // when the line is free again
	waiting []packet  // by when they are due
	spare   [][]byte
	scratch [maxPacket]byte
}

type packet struct {
	data []byte
	due  time.Time
}

func (l *line) count() Traffic {
	return Traffic{Packets: l.packets.Load(), Bytes: l.bytes.Load(), Dropped: l.dropped.Load()}
}

// run carries packets until stop is readable.
func (l *line) run() error {
	runtime.LockOSThread() // never unlocked: the thread's timers are its own
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	for {
		stopped, err := l.wait()
		if stopped || err != nil {
			return err
		}
		if err := l.receive(); err != nil {
			return err
		}
		l.deliver()
	}
}

// wait waits for a packet to come or to be due.
func (l *line) wait() (stopped bool, err error) {
	fds := []unix.PollFd{{Fd: int32(l.stop), Events: unix.POLLIN}, {Fd: int32(l.from), Events: unix.POLLIN}}
	var timeout *unix.Timespec
	if len(l.waiting) > 0 {
		t := unix.NsecToTimespec(max(0, time.Until(l.waiting[0].due)).Nanoseconds())
		timeout = &t
	}
	if _, err := unix.Ppoll(fds, timeout, nil); err != nil && err != unix.EINTR {
		return false, fmt.Errorf("poll: %w", err)
	}
	return fds[0].Revents != 0, nil
}

// receive takes in what has come, a bounded number at a time so that what is due
// gets its turn.
func (l *line) receive() error {
	for range 64 {
		n, err := unix.Read(l.from, l.scratch[:])
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return nil
		case err != nil:
			return fmt.Errorf("read a packet: %w", err)
		case n <= l.head:
			return nil // a socket whose other end is closed
		}
		l.send(l.scratch[:n], time.Now())
	}
	return nil
}

// send puts a packet on the line, or drops it.
func (l *line) send(data []byte, now time.Time) {
	s := l.shape.Load()
	size := len(data) - l.head
	if l.free.Before(now) {
		l.free = now
	}
	if s.Rate > 0 {
		if transmission(l.free.Sub(now), s.Rate) > int64(s.Queue) {
			l.dropped.Add(1)
			return
		}
		l.free = l.free.Add(time.Duration(int64(size) * 8 * int64(time.Second) / s.Rate))
	}
	l.packets.Add(1)
	l.bytes.Add(int64(size))
	l.waiting = append(l.waiting, packet{append(l.buffer(), data...), l.free.Add(s.Delay)})
}

// transmission returns how many bytes the line takes in a time.
func transmission(d time.Duration, rate int64) int64 {
	return int64(d.Seconds() * float64(rate) / 8)
}

func (l *line) buffer() []byte {
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b[:0]
	}
	return nil
}

// deliver writes what is due. What the device does not take is lost, as in a
// receiver that is too slow.
func (l *line) deliver() {
	now := time.Now()
	done := 0
	for _, p := range l.waiting {
		if p.due.After(now) {
			break
		}
		if _, err := unix.Write(l.to, p.data); err != nil {
			l.packets.Add(-1)
			l.bytes.Add(-int64(len(p.data) - l.head))
			l.dropped.Add(1)
		}
		l.spare = append(l.spare, p.data)
		done++
	}
	// A delay that has become shorter lets nothing overtake: order is kept.
	l.waiting = l.waiting[done:]
}
