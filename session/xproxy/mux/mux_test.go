package mux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pair returns two sides that speak with each other.
func pair(t testing.TB) (opener, acceptor *Conn) {
	t.Helper()
	a, b := net.Pipe()
	return connect(t, a, false), connect(t, b, true)
}

func connect(t testing.TB, rw io.ReadWriteCloser, accept bool) *Conn {
	t.Helper()
	c, err := New(rw, Config{Accept: accept, Notice: func([]byte, uint64) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func open(t testing.TB, opener, acceptor *Conn) (*Stream, *Stream) {
	t.Helper()
	near, err := opener.Open()
	if err != nil {
		t.Fatal(err)
	}
	far, err := acceptor.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

// noise returns n bytes, of which some stretches can be compressed.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		if i>>12%3 > 0 {
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

// echo sends back what comes, until it ends.
func echo(s *Stream) {
	io.Copy(struct{ io.Writer }{s}, struct{ io.Reader }{s})
	s.CloseWrite()
}

// counting counts what is written.
type counting struct {
	io.ReadWriteCloser
	writes atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.ReadWriteCloser.Write(p)
}

// What nobody waits for goes along with what somebody does, in its order and on whichever stream.
func TestWriteLater(t *testing.T) {
	a, b := net.Pipe()
	link := &counting{ReadWriteCloser: a}
	opener, acceptor := connect(t, link, false), connect(t, b, true)
	opener.mu.Lock()
	opener.putOff = time.Hour
	opener.mu.Unlock()
	one, farOne := open(t, opener, acceptor)
	other, farOther := open(t, opener, acceptor)
	before := link.writes.Load()
	for i := range byte(100) {
		if n, err := one.WriteLater([]byte{i}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := other.Write([]byte("now")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if _, err := io.ReadFull(farOther, got[:3]); err != nil || string(got[:3]) != "now" {
		t.Fatalf("%q, %v", got[:3], err)
	}
	if _, err := io.ReadFull(farOne, got); err != nil || got[0] != 0 || got[99] != 99 {
		t.Fatalf("%v, %v", got, err)
	}
	if n := link.writes.Load() - before; n > 5 { // the writer may still have been busy
		t.Errorf("%d batches", n)
	}
}

// What nobody waits for does not wait for ever, nor for room.
func TestWriteLaterAlone(t *testing.T) {
	opener, acceptor := pair(t)
	near, far := open(t, opener, acceptor)
	for _, size := range []int{1, maxOut, 3 * maxOut} {
		want := noise(rand.New(rand.NewPCG(2, 3)), size)
		var writing sync.WaitGroup
		writing.Go(func() {
			if n, err := near.WriteLater(want); n != size || err != nil {
				t.Error(n, err)
			}
		})
		got := make([]byte, size)
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
		writing.Wait()
	}
}

// gone is a connection to a peer that has closed it, and whose end has not been read.
type gone struct{ io.ReadWriteCloser }

func (gone) Write([]byte) (int, error) { return 0, &net.OpError{Op: "write", Err: syscall.EPIPE} }

// It makes no difference whether one that goes is noticed by what is written or by what is read.
func TestWriteToNobody(t *testing.T) {
	a, _ := net.Pipe()
	c := connect(t, gone{a}, false)
	if _, err := c.Open(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Err(); err != io.EOF {
		t.Errorf("it ended with %v", err)
	}
}

// Many streams at once, in both directions, each whole and in order.
func TestStreams(t *testing.T) {
	opener, acceptor := pair(t)
	var tasks sync.WaitGroup
	for i := range 20 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		near, far := open(t, opener, acceptor)
		tasks.Go(func() { echo(far); far.Close() })
		want := noise(r, r.IntN(1<<20))
		tasks.Go(func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(100_000))
				if _, err := near.Write(rest[:n]); err != nil {
					t.Error(err)
				}
				rest = rest[n:]
			}
			near.CloseWrite()
		})
		tasks.Go(func() {
			got, err := io.ReadAll(near)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
			}
			near.Close()
		})
	}
	tasks.Wait()
	awaitEmpty(t, opener)
	awaitEmpty(t, acceptor)
}

// awaitEmpty waits until nothing is kept of streams that have ended.
func awaitEmpty(t *testing.T, c *Conn) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		left, spare := len(c.streams), c.spare
		c.mu.Unlock()
		switch {
		case left == 0 && spare == spareWindow:
			return
		case time.Now().After(deadline):
			t.Fatalf("%d streams are left, and %d of windows", left, spare)
		}
	}
}

// What was written arrives although the writer has closed, and the peer's writes end.
func TestClose(t *testing.T) {
	opener, acceptor := pair(t)
	near, far := open(t, opener, acceptor)
	near.Write([]byte("last words"))
	near.Close()
	if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
		t.Errorf("got %q, %v", got, err)
	}
	for {
		if _, err := far.Write(make([]byte, 1000)); err != nil {
			if !errors.Is(err, ErrReset) {
				t.Error(err)
			}
			break
		}
	}
	far.Close()
	if _, err := near.Read(make([]byte, 1)); err != io.ErrClosedPipe {
		t.Errorf("read after close: %v", err)
	}
	awaitEmpty(t, opener)
	awaitEmpty(t, acceptor)
}

// A stream that nobody reads holds up no other.
func TestStuckStream(t *testing.T) {
	opener, acceptor := pair(t)
	stuck, unread := open(t, opener, acceptor)
	written := make(chan error, 1)
	go func() {
		_, err := stuck.Write(make([]byte, 1<<20))
		written <- err
	}()
	near, far := open(t, opener, acceptor)
	go echo(far)
	want := make([]byte, 500_000)
	go near.Write(want)
	if _, err := io.ReadFull(near, want); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-written:
		t.Fatalf("nobody reads 1 MB, and yet: %v", err)
	default:
	}
	unread.Close()
	if err := <-written; !errors.Is(err, ErrReset) {
		t.Errorf("writer got %v", err)
	}
}

func TestConnEnds(t *testing.T) {
	opener, acceptor := pair(t)
	near, far := open(t, opener, acceptor)
	far.Write([]byte("x"))
	near.Read(make([]byte, 1))
	acceptor.Close()
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	<-opener.Done()
	if _, err := opener.Open(); err == nil {
		t.Error("a stream is opened on a connection that has ended")
	}
	if _, err := acceptor.Accept(context.Background()); err != ErrClosed {
		t.Errorf("accept: %v", err)
	}
}

func TestTooManyStreams(t *testing.T) {
	opener, acceptor := pair(t)
	for range maxStreams {
		open(t, opener, acceptor)
	}
	if _, err := opener.Open(); err == nil {
		t.Error("one more is opened")
	}
	opener.mu.Lock() // as a peer that does not care
	opener.last++
	s := opener.add(opener.last)
	opener.join(s)
	opener.wakeWriter()
	opener.mu.Unlock()
	if _, err := io.ReadAll(s); err != nil {
		t.Errorf("the one that is too many: %v", err)
	}
}

// What says little goes first, whenever it comes; what says much gets equal parts.
func TestSmallFirst(t *testing.T) {
	c := &Conn{wake: make(chan struct{}, 1), streams: make(map[uint32]*Stream)}
	var streams [3]*Stream
	for i := range streams {
		streams[i] = c.add(uint32(i + 1))
		streams[i].opened, streams[i].allowance = true, maxAllowance
	}
	sent := make(map[uint32]int)
	for round := range 100 {
		for _, bulk := range streams[:2] {
			bulk.Write(make([]byte, maxOut-bulk.out.len()))
		}
		if round%3 == 0 {
			streams[2].Write([]byte("key"))
		}
		frames := c.appendData(nil)
		for first := true; len(frames) > 0; first = false {
			f, rest, err := cutFrame(frames)
			if err != nil {
				t.Fatal(err)
			}
			if round > 0 && round%3 == 0 && first && f.stream != 3 {
				t.Errorf("round %d begins with stream %d", round, f.stream)
			}
			sent[f.stream] += len(f.payload)
			frames = rest
		}
	}
	if d := sent[1] - sent[2]; d > 2*maxData || d < -2*maxData || sent[3] != 34*len("key") {
		t.Errorf("sent: %v", sent)
	}
}

// coders are an encoder of one direction, and a decoder of one.
func coders(t testing.TB, in io.Reader, from, to direction) (*encoder, *decoder) {
	t.Helper()
	e, err := newEncoder(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	d, err := newDecoder(in, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return e, d
}

// TestBatches checks what both ways of sending give, and that a link which is faster than
// compression gets what is not compressed.
func TestBatches(t *testing.T) {
	var wire bytes.Buffer
	e, d := coders(t, &wire, directionFrom(false), directionFrom(false))
	r := rand.New(rand.NewPCG(3, 4))
	plain := 0
	for i := range 1000 {
		frames := noise(r, 1+r.IntN(maxBatch))
		perByte := 0.0
		if i >= 500 {
			perByte = 1e-6
		}
		batch, err := e.encode(frames, perByte)
		if err != nil {
			t.Fatal(err)
		}
		if batch[0] == batchPlain {
			plain++
		}
		wire.Write(batch)
		got, size, err := d.decode()
		if err != nil || !bytes.Equal(got, frames) || size != len(batch) {
			t.Fatalf("batch %d: %v", i, err)
		}
	}
	if plain < 450 || plain >= 500 {
		t.Errorf("%d batches were not compressed", plain)
	}
}

// FuzzPeer gives a side whatever a peer may send.
func FuzzPeer(f *testing.F) {
	plain := func(frames []byte) []byte {
		b := make([]byte, batchHead, batchHead+len(frames))
		putHead(b, batchPlain, len(frames), len(frames))
		return append(b, frames...)
	}
	frames := appendFrame(nil, frameOpen, 1, nil)
	frames = appendFrame(frames, frameData, 1, []byte("data"))
	frames = appendFrame(frames, frameCredit, 1, []byte{1, 0, 0, 0})
	frames = appendFrame(frames, frameClose, 1, nil)
	frames = appendFrame(frames, frameReset, 1, nil)
	f.Add(plain(frames))
	f.Add(plain(appendFrame(nil, frameAck, 0, make([]byte, 8))))
	e, err := newEncoder(directionFrom(false))
	if err != nil {
		f.Fatal(err)
	}
	batch, err := e.encode(frames, 0)
	if err != nil {
		f.Fatal(err)
	}
	seed := bytes.Clone(batch)
	f.Add(seed)
	if batch, err = e.encode(batches(photo(8))[0], 0); err != nil || batch[0] != batchPixels {
		f.Fatalf("batch %q: %v", batch[0], err)
	}
	f.Add(append(seed, batch...))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := net.Pipe()
		go io.Copy(io.Discard, a)
		go func() {
			a.Write(data)
			a.Close()
		}()
		c, err := New(b, Config{Accept: true, Notice: func([]byte, uint64) {}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var tasks sync.WaitGroup
		for {
			s, err := c.Accept(t.Context())
			if err != nil {
				break
			}
			tasks.Go(func() { echo(s); s.Close() })
		}
		tasks.Wait()
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	opener, acceptor := pair(b)
	near, far := open(b, opener, acceptor)
	go echo(far)
	p := make([]byte, 32)
	for b.Loop() {
		near.Write(p)
		io.ReadFull(near, p)
	}
}

func BenchmarkThroughput(b *testing.B) {
	opener, acceptor := pair(b)
	near, far := open(b, opener, acceptor)
	go io.Copy(io.Discard, struct{ io.Reader }{far})
	p := noise(rand.New(rand.NewPCG(1, 2)), 64<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		near.Write(p)
	}
}

// Notices come in order with what is written, and fences' ahead of it; by their batches it can be told what has come since.
func TestNotices(t *testing.T) {
	a, b := net.Pipe()
	var heard []string
	var fences int
	done := make(chan struct{})
	opener, err := New(a, Config{Fence: func(data int) []byte {
		if data == 0 {
			t.Error("a fence for nothing that was written")
		}
		if fences++; fences == 3 {
			return []byte("fence")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer opener.Close()
	var acceptor *Conn
	ready := make(chan struct{})
	acceptor, err = New(b, Config{Accept: true, Notice: func(p []byte, batch uint64) {
		<-ready
		acceptor.mu.Lock() // it is free
		n := 0
		for _, s := range acceptor.streams {
			n += s.in.len()
		}
		acceptor.mu.Unlock()
		heard = append(heard, fmt.Sprintf("%s after %d", p, n))
		if last := acceptor.Heard(); last >= batch {
			t.Errorf("%s came in batch %d, and data in %d before", p, batch, last)
		}
		if string(p) == "last" {
			close(done)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer acceptor.Close()
	s, err := opener.Open()
	if err != nil {
		t.Fatal(err)
	}
	sent := func() {
		for left := 1; left > 0; time.Sleep(time.Millisecond) {
			opener.mu.Lock()
			left = s.out.len() + len(opener.notices)
			opener.mu.Unlock()
		}
	}
	s.Write([]byte("12345"))
	sent()
	opener.Notice([]byte("notice"))
	s.Write([]byte("67890"))
	sent()
	s.Write([]byte("abc"))
	sent()
	opener.Notice([]byte("last"))
	close(ready)
	<-done
	if want := []string{"notice after 5", "fence after 10", "last after 13"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
	if _, err := acceptor.Open(); err == nil {
		t.Error("the acceptor opens a stream")
	}
	acceptor.Notice([]byte("to whom?"))
	<-acceptor.Done()
}
