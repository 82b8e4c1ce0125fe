package mux

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxStreams bounds the streams of a connection at a time.
	maxStreams = 512

	// maxRefused bounds refusals that wait to be sent.
	maxRefused = 1024
)

// MaxNotice is the longest notice, in bytes; maxNotices bounds those that wait to be sent.
const (
	MaxNotice  = 4 << 10
	maxNotices = 1024
)

// ErrClosed is the error of what is used after Close.
var ErrClosed = errors.New("connection closed")

// Config says what one side of a connection does.
type Config struct {
	Accept bool // it accepts streams; the other side opens them

	// Notice takes a notice of the peer's: what the peer had written before is there to be
	// read by then, and nothing that it wrote later. It has come in the batch of this number, which count up
	// from 1. May be nil where the peer sends none.
	Notice func(payload []byte, batch uint64)

	// Fence is called before a batch of what was written goes out, with so many bytes of streams, and returns a notice
	// that is to be ahead of it; empty for none. May be nil.
	Fence func(data int) []byte
}

// Conn is one side of a connection. One side opens streams, the other accepts them.
type Conn struct {
	rw     io.ReadWriteCloser
	config Config
	wake   chan struct{} // there may be something to send
	done   chan struct{} // closed with err
	tasks  sync.WaitGroup
	heard  atomic.Uint64 // the last batch with something for a stream

	mu       sync.Mutex
	err      error // why the connection has ended
	streams  map[uint32]*Stream
	last     uint32        // number of the stream opened last, by either side
	accepted chan *Stream  // room for maxStreams
	refused  []uint32      // streams that are too many, and the peer not told
	notices  [][]byte      // that wait to be sent
	news     bool          // the fence has something
	busy     []*Stream     // that have something to write
	served   uint64        // of the stream that was served last
	putOff   time.Duration // how long WriteLater may wait for others
	later    bool          // something does
	spare    int           // by which windows may still grow, in bytes
	batches  uint64        // that have come
	received uint64        // bytes of them
	told     uint64        // of those, what the peer knows of
	pace     pace
}

// New begins to speak over rw, which it owns. Close has to follow.
func New(rw io.ReadWriteCloser, config Config) (*Conn, error) {
	c := &Conn{
		rw:       rw,
		config:   config,
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		streams:  make(map[uint32]*Stream),
		accepted: make(chan *Stream, maxStreams),
		putOff:   putOff,
		spare:    spareWindow,
	}
	encoder, err := newEncoder(directionFrom(config.Accept))
	if err != nil {
		return nil, err
	}
	decoder, err := newDecoder(rw, directionFrom(!config.Accept))
	if err != nil {
		return nil, err
	}
	c.tasks.Go(func() {
		defer encoder.close()
		c.fail(c.send(encoder))
	})
	c.tasks.Go(func() {
		defer decoder.close()
		c.fail(c.receive(decoder))
	})
	return c, nil
}

// Open opens a stream.
func (c *Conn) Open() (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, c.err
	case c.config.Accept:
		return nil, errors.New("streams are opened by the other side")
	case len(c.streams) >= maxStreams || c.last == 1<<32-1:
		return nil, errors.New("too many streams")
	}
	c.last++
	s := c.add(c.last)
	c.join(s)
	c.wakeWriter()
	return s, nil
}

// add adds a stream.
func (c *Conn) add(id uint32) *Stream {
	s := &Stream{conn: c, id: id, window: firstWindow, credit: firstWindow, allowance: firstWindow, opened: c.config.Accept}
	s.change.L = &c.mu
	c.streams[id] = s
	return s
}

// Accept returns the next stream that the peer has opened.
func (c *Conn) Accept(ctx context.Context) (*Stream, error) {
	select {
	case s := <-c.accepted:
		return s, nil
	case <-c.done:
		return nil, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Notice sends something that is no stream's, of 1 to MaxNotice bytes: ahead of all that is
// written from now on.
func (c *Conn) Notice(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case len(c.notices) >= maxNotices:
		return errors.New("too many notices")
	}
	c.notices = append(c.notices, payload)
	c.wakeWriter()
	return nil
}

// Wake has the fence asked although nothing was written.
func (c *Conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news = true
	c.wakeWriter()
}

// Heard returns the number of the last batch that had something for a stream, be it its end. It has that number before
// anything of it can be read.
func (c *Conn) Heard() uint64 { return c.heard.Load() }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended, after Done; io.EOF where the peer closed it.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and all its streams, and waits.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.tasks.Wait()
	return nil
}

// fail ends the connection, if it has not ended.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	c.rw.Close()
	for _, s := range c.streams {
		s.change.Broadcast()
	}
}

func (c *Conn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// putOff is how long what nobody waits for may wait for something else to go along with. Each batch is a packet, and a link
// that was idle takes ten at a time before it waits a round trip (RFC 6928, section 2).
const putOff = 10 * time.Millisecond

func (c *Conn) wakeLater() {
	if c.later {
		return
	}
	c.later = true
	time.AfterFunc(c.putOff, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.later = false
		c.wakeWriter()
	})
}

// receive takes what the peer sends, until an error.
func (c *Conn) receive(d *decoder) error {
	for {
		frames, size, err := d.decode()
		if err != nil {
			return err
		}
		if err := c.take(frames, size); err != nil {
			return fmt.Errorf("peer: %w", err)
		}
	}
}

// take takes a batch.
func (c *Conn) take(frames []byte, size int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches++
	c.received += uint64(size)
	if c.received-c.told >= ackEvery {
		c.wakeWriter()
	}
	for len(frames) > 0 {
		f, rest, err := cutFrame(frames)
		if err == nil {
			err = c.takeFrame(f)
		}
		if err != nil {
			return err
		}
		frames = rest
	}
	return nil
}

func (c *Conn) takeFrame(f frame) error {
	switch f.kind {
	case frameAck:
		if !c.pace.noteAck(binary.LittleEndian.Uint64(f.payload), time.Now()) {
			return errors.New("it has what was not sent")
		}
		c.wakeWriter()
		return nil
	case frameNotice:
		return c.takeNotice(f.payload)
	case frameOpen:
		return c.takeOpen(f.stream)
	}
	if f.stream > c.last {
		return fmt.Errorf("there is no stream %d", f.stream)
	}
	if f.kind != frameCredit {
		c.heard.Store(c.batches)
	}
	s := c.streams[f.stream]
	if s == nil {
		return nil // it has ended here, or was refused
	}
	switch f.kind {
	case frameData:
		return s.takeData(f.payload)
	case frameCredit:
		return s.takeCredit(binary.LittleEndian.Uint32(f.payload))
	case frameReset:
		s.unheard, s.outEnded = true, true
		s.out.drop()
	}
	s.inEnded = true // closed or reset
	s.change.Broadcast()
	c.forget(s)
	c.wakeWriter()
	return nil
}

// takeNotice hands a notice on, without the lock: who takes it may have something to send.
func (c *Conn) takeNotice(payload []byte) error {
	if c.config.Notice == nil {
		return errors.New("a notice, of which there are none")
	}
	batch := c.batches
	c.mu.Unlock()
	defer c.mu.Lock()
	c.config.Notice(payload, batch)
	return nil
}

// takeOpen takes a new stream. What is too many is refused.
func (c *Conn) takeOpen(id uint32) error {
	if !c.config.Accept || id != c.last+1 {
		return fmt.Errorf("stream %d follows %d", id, c.last)
	}
	c.last = id
	if len(c.streams) < maxStreams {
		s := c.add(id)
		select {
		case c.accepted <- s:
			return nil
		default:
			delete(c.streams, id)
		}
	}
	if len(c.refused) >= maxRefused {
		return errors.New("too many streams")
	}
	c.refused = append(c.refused, id)
	c.wakeWriter()
	return nil
}

func (s *Stream) takeData(p []byte) error {
	switch {
	case s.inEnded:
		return fmt.Errorf("stream %d goes on after its end", s.id)
	case len(p) > s.credit:
		return fmt.Errorf("stream %d sends more than it may", s.id)
	}
	s.credit -= len(p)
	if s.deaf {
		return nil // as the peer is told
	}
	s.in.add(p)
	s.change.Broadcast()
	return nil
}

// maxAllowance bounds what a peer may let us send, in bytes: more than any of ours does.
const maxAllowance = 1 << 30

func (s *Stream) takeCredit(n uint32) error {
	if n > maxAllowance || s.allowance+int(n) > maxAllowance {
		return fmt.Errorf("stream %d may send %d bytes more", s.id, n)
	}
	s.allowance += int(n)
	s.conn.wakeWriter()
	return nil
}

// forget forgets a stream that has ended on both sides.
func (c *Conn) forget(s *Stream) {
	if s.inEnded && s.closeSent && c.streams[s.id] == s {
		delete(c.streams, s.id)
		c.spare += s.window - firstWindow
	}
}
