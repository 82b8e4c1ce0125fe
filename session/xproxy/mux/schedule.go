package mux

import "slices"

// Streams that have something to send are served by how much they have been served: who
// has had least comes first, and who comes anew, or again, starts level with those who
// are there (start-time fair queueing: Goyal, Vin and Cheng, 1996). So a stream that says
// little never waits for more than a batch of one that says much, and all that say
// much get the same.

// join puts a stream among those that have something to send.
func (c *Conn) join(s *Stream) {
	s.served = max(s.served, c.served)
	if !slices.Contains(c.busy, s) {
		c.busy = append(c.busy, s)
	}
}

// appendData appends data of the streams whose turn it is.
func (c *Conn) appendData(b []byte) []byte {
	for len(b)+2*frameHead+maxData <= maxBatch-fenceRoom {
		s := c.next()
		if s == nil {
			return b
		}
		if !s.opened {
			s.opened = true
			b = appendFrame(b, frameOpen, s.id, nil)
			c.wakeWriter() // for what appendControl has put off
		}
		if n := min(maxData, s.allowance, s.out.len()); n > 0 {
			b = appendHead(b, frameData, s.id, n)
			b = slices.Grow(b, n)[:len(b)+n]
			s.out.take(b[len(b)-n:])
			s.allowance -= n
			c.served = s.served
			s.served += uint64(n + frameHead)
			s.change.Broadcast()
			c.wakeWriter()
		}
	}
	return b
}

// next returns the stream whose turn it is, of those that may send; nil where there is none.
func (c *Conn) next() *Stream {
	c.busy = slices.DeleteFunc(c.busy, func(s *Stream) bool { return s.opened && s.out.len() == 0 })
	var first *Stream
	for _, s := range c.busy {
		switch {
		case !s.opened:
			return s // they are numbered in the order in which they open
		case s.allowance == 0:
		case first == nil || s.served < first.served:
			first = s
		case s.served == first.served && s.out.len() < first.out.len():
			first = s
		}
	}
	return first
}
