package link

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns two ends that keep packets apart, the first for a link.
func pair(t *testing.T) (device, end *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	device, end = os.NewFile(uintptr(fds[0]), "device"), os.NewFile(uintptr(fds[1]), "end")
	t.Cleanup(func() { end.Close() })
	if err := end.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return device, end
}

func connect(t *testing.T, s Shape) (l *Link, a, b *os.File) {
	t.Helper()
	deviceA, a := pair(t)
	deviceB, b := pair(t)
	l, err := New(Config{A: deviceA, B: deviceB, Head: 4, Shape: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, a, b
}

// numbered is a packet of size bytes, with its head of 4.
func numbered(n, size int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, size)...)
}

func send(t *testing.T, to *os.File, p []byte) {
	t.Helper()
	if _, err := to.Write(p); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, from *os.File, want []byte) {
	t.Helper()
	got := make([]byte, 64<<10)
	n, err := from.Read(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:n], want) {
		t.Fatalf("got packet %x of %d bytes, want %x of %d", got[:4], n, want[:4], len(want))
	}
}

// What goes in comes out, in order, both ways, and is counted.
func TestPacketsArrive(t *testing.T) {
	l, a, b := connect(t, Shape{})
	for i := range 300 {
		send(t, a, numbered(i, i+1))
		receive(t, b, numbered(i, i+1))
	}
	send(t, b, numbered(7, 100))
	receive(t, a, numbered(7, 100))
	there, back := l.Count()
	if want := (Traffic{Packets: 300, Bytes: 300 * 301 / 2}); there != want {
		t.Errorf("there went %+v, want %+v", there, want)
	}
	if want := (Traffic{Packets: 1, Bytes: 100}); back != want {
		t.Errorf("back went %+v, want %+v", back, want)
	}
}

// No packet is early. How late one may be depends on the computer, and is printed.
func TestDelay(t *testing.T) {
	const delay = 20 * time.Millisecond
	_, a, b := connect(t, Shape{Delay: delay})
	var late time.Duration
	for i := range 10 {
		begin := time.Now()
		send(t, a, numbered(i, 10))
		receive(t, b, numbered(i, 10))
		took := time.Since(begin)
		if took < delay {
			t.Errorf("a packet took %v, want %v", took, delay)
		}
		late = max(late, took-delay)
	}
	t.Logf("late by %v at most", late)
}

// Packets take up the line one after the other; their delay is on top, once.
func TestRate(t *testing.T) {
	const count, size, rate, delay = 50, 1250, 1_000_000, 30 * time.Millisecond // 10 ms a packet
	_, a, b := connect(t, Shape{Rate: rate, Delay: delay})
	begin := time.Now()
	for i := range count {
		send(t, a, numbered(i, size))
	}
	for i := range count {
		receive(t, b, numbered(i, size))
	}
	took, want := time.Since(begin), count*10*time.Millisecond+delay
	if took < want {
		t.Errorf("took %v, want %v", took, want)
	}
	t.Logf("took %v, of which %v are the line's", took, want)
}

// What does not fit into the queue is dropped, from its end.
func TestQueue(t *testing.T) {
	const size = 1000
	// A packet takes 80 s: while the test runs none leaves the line, and of those
	// that wait ten fill the queue.
	l, a, b := connect(t, Shape{Rate: 100, Queue: 10 * size})
	for i := range 20 {
		send(t, a, numbered(i, size))
	}
	for there, _ := l.Count(); there.Packets+there.Dropped < 20; there, _ = l.Count() {
		time.Sleep(time.Millisecond)
	}
	there, _ := l.Count()
	if there.Packets < 10 || there.Packets > 11 {
		t.Errorf("got %+v, want 10 or 11 packets that wait", there)
	}
	// A link that has become fast lets those before go first.
	l.Set(Shape{})
	send(t, b, numbered(1, size))
	receive(t, a, numbered(1, size))
}

func TestCloseTwice(t *testing.T) {
	l, _, _ := connect(t, Shape{Delay: time.Hour})
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
