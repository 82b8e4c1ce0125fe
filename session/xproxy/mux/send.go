package mux

import (
	"encoding/binary"
	"errors"
	"io"
	"syscall"
	"time"
)

// send sends what there is, until an error.
func (c *Conn) send(e *encoder) error {
	buf := make([]byte, 0, maxBatch)
	for {
		frames, data, fenced := c.collect(buf)
		if fenced && c.config.Fence != nil {
			if notice := c.config.Fence(data); len(notice) > 0 {
				frames = append(appendFrame(nil, frameNotice, 0, notice), frames...)
			}
		}
		if len(frames) == 0 {
			select {
			case <-c.wake:
				continue
			case <-c.done:
				return ErrClosed
			}
		}
		batch, err := e.encode(frames, c.perByte())
		if err != nil {
			return err
		}
		c.noteSent(len(batch))
		if _, err := c.rw.Write(batch); err != nil {
			return closedBy(err)
		}
	}
}

// closedBy returns io.EOF for an error of writing to a peer that has closed the connection.
func closedBy(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrClosedPipe) {
		return io.EOF
	}
	return err
}

// fenceRoom is what a batch has room for ahead of its frames, in bytes.
const fenceRoom = frameHead + MaxNotice

func (c *Conn) perByte() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pace.perByte
}

func (c *Conn) noteSent(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace.noteSent(n, time.Now())
}

// collect appends the frames of the next batch, of which so many bytes are for data. fenced says that the fence comes
// before it.
func (c *Conn) collect(b []byte) (frames []byte, data int, fenced bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return b, 0, false
	}
	if c.received-c.told >= ackEvery {
		c.told = c.received
		b = appendFrame(b, frameAck, 0, binary.LittleEndian.AppendUint64(nil, c.told))
	}
	const half = maxBatch / 2
	for ; len(c.notices) > 0 && len(b) < half; c.notices = c.notices[1:] {
		b = appendFrame(b, frameNotice, 0, c.notices[0])
	}
	if len(c.notices) > 0 {
		c.wakeWriter()
		return b, 0, false // all that was written comes after them
	}
	for ; len(c.refused) > 0 && len(b) < half; c.refused = c.refused[1:] {
		b = appendFrame(b, frameReset, c.refused[0], nil)
	}
	before := len(b)
	for _, s := range c.streams {
		if len(b) > half {
			c.wakeWriter()
			break
		}
		b = s.appendControl(b)
	}
	control := len(b)
	if c.pace.mayGo() {
		b = c.appendData(b)
	}
	fenced = c.news || len(b) > before
	c.news = false
	return b, len(b) - control, fenced
}

// appendControl appends what is to be said about a stream, besides its data. A close comes
// after all data.
func (s *Stream) appendControl(b []byte) []byte {
	if !s.opened {
		return b // appendData opens streams, in their order
	}
	if s.consumed > 0 && s.consumed >= s.window/4 && !s.inEnded && !s.deaf {
		b = appendFrame(b, frameCredit, s.id, binary.LittleEndian.AppendUint32(nil, uint32(s.consumed)))
		s.credit += s.consumed
		s.consumed = 0
	}
	ended := s.outEnded && s.out.len() == 0
	switch {
	case ended && s.deaf && !s.inEnded && !s.resetSent:
		s.resetSent = true
		b = appendFrame(b, frameReset, s.id, nil)
	case ended && !s.closeSent:
		b = appendFrame(b, frameClose, s.id, nil)
	default:
		return b
	}
	s.closeSent = true
	s.conn.forget(s)
	return b
}
