package mux

import "time"

// gain knows what compression costs and saves.
type gain struct {
	cost  float64 // nanoseconds for each byte
	ratio float64 // bytes sent for each byte
	plain int     // batches sent as they are since the last compressed one
}

// smooth is how much a new measurement counts.
const smooth = 1.0 / 8

func mix(old, measured float64) float64 {
	if old == 0 {
		return measured
	}
	return old + smooth*(measured-old)
}

// mixLow is mix for times that are too long now and then: what is shorter counts for more.
func mixLow(old, measured float64) float64 {
	switch {
	case old == 0:
		return measured
	case measured < old:
		return old + 2*smooth*(measured-old)
	}
	return old + smooth/4*(measured-old)
}

// note notes what compressing a batch of n bytes came to.
func (g *gain) note(n, sent int, took time.Duration) {
	g.plain = 0
	if n < 1<<10 {
		return // too short to tell
	}
	g.cost = mixLow(g.cost, float64(took)/float64(n)) // the clock runs while others have the processor
	g.ratio = mix(g.ratio, float64(sent)/float64(n))
}

// tryAgain is after how many batches sent as they are one is compressed to see how that
// would be now.
const tryAgain = 64

// worth reports whether the next batch is sent sooner compressed, on a link that takes
// perByte nanoseconds for a byte. What is unknown speaks for compression.
func (g *gain) worth(perByte float64) bool {
	if perByte <= 0 || g.cost == 0 || g.cost < (1-g.ratio)*perByte || g.plain >= tryAgain {
		return true
	}
	g.plain++
	return false
}

const (
	// ackEvery is after how many bytes the receiver says how far it has come.
	ackEvery = 16 << 10

	// Between these, in bytes, is what may be on the way at a time.
	leastAhead = 256 << 10
	mostAhead  = 4 << 20

	// stretch is how long a rate is measured at least: acknowledgements may come by twos.
	stretch = 2 * time.Millisecond

	// queueing is how long a link may take to carry what waits in its buffers: what comes
	// up meanwhile waits as long.
	queueing = 15 * time.Millisecond
)

// pace decides how much may be on the way, by what the receiver says about what has
// come. As much as fits into the link keeps it busy; what is more would only wait
// in buffers where nothing can overtake it.
type pace struct {
	sent, acked uint64 // bytes of batches

	perByte float64       // nanoseconds that the link takes for a byte; 0 where that is unknown
	least   time.Duration // shortest time from sending to hearing that it came
	probeAt uint64        // hearing of this much tells the time; 0 for no probe
	probed  time.Time

	// When it was heard how much had come, with more on the way; zero where there was none.
	since   time.Time
	sinceAt uint64
}

// ahead returns how much may be on the way, in bytes.
func (p *pace) ahead() uint64 {
	if p.perByte == 0 || p.least == 0 {
		return 2 * leastAhead
	}
	n := float64(p.least+queueing) / p.perByte
	return uint64(min(max(n, leastAhead), mostAhead))
}

func (p *pace) mayGo() bool { return p.sent-p.acked < p.ahead() }

func (p *pace) noteSent(n int, now time.Time) {
	p.sent += uint64(n)
	if p.probeAt == 0 {
		p.probeAt, p.probed = p.sent, now
	}
}

// noteAck notes that the receiver has had total bytes, and reports whether that can be.
func (p *pace) noteAck(total uint64, now time.Time) bool {
	if total <= p.acked || total > p.sent {
		return false
	}
	if took := now.Sub(p.since); !p.since.IsZero() && took >= stretch {
		// The receiver may have waited for us to send more.
		p.perByte = mixLow(p.perByte, float64(took)/float64(total-p.sinceAt))
		p.since = time.Time{}
	}
	if p.probeAt != 0 && total >= p.probeAt {
		// A probe that ends within a stretch of ackEvery waited for the rest of it, so
		// that only the shortest time counts.
		if took := max(now.Sub(p.probed), 1); p.least == 0 || took < p.least {
			p.least = took
		}
		p.probeAt = 0
	}
	p.acked = total
	switch {
	case p.sent-p.acked <= 2*ackEvery:
		p.since = time.Time{} // what comes next may have been sent late
	case p.since.IsZero():
		p.since, p.sinceAt = now, total
	}
	return true
}
