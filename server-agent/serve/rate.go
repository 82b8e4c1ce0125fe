package serve

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// perSecond is how often an address may ask in the long run: a client asks three
	// times a minute, and a school of a thousand may stand behind one address.
	perSecond = 200
	// burst is how often it may ask at once.
	burst = 2000
	// maxAddresses bounds the addresses that are remembered.
	maxAddresses = 10_000
)

// rate counts the questions of addresses, by the generic cell rate algorithm: of an
// address it keeps the time at which its questions so far would be paid for.
type rate struct {
	mu   sync.Mutex
	paid map[netip.Prefix]time.Time
	now  func() time.Time
}

func newRate() *rate { return &rate{paid: make(map[netip.Prefix]time.Time), now: time.Now} }

// allow tells whether the address may ask once more.
func (r *rate) allow(remote string) bool {
	key := network(remote)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	paid := r.paid[key]
	if paid.Before(now) {
		paid = now
	}
	if paid.Sub(now) > burst*time.Second/perSecond {
		return false
	}
	if len(r.paid) >= maxAddresses {
		r.forget(now)
	}
	r.paid[key] = paid.Add(time.Second / perSecond)
	return true
}

// forget drops the addresses that have paid; where that is not enough, all of them.
func (r *rate) forget(now time.Time) {
	for key, paid := range r.paid {
		if paid.Before(now) {
			delete(r.paid, key)
		}
	}
	if len(r.paid) >= maxAddresses {
		clear(r.paid)
	}
}

// network is whom a question is put down to: an IPv4 address, or the 64 bits of IPv6
// that name a network, in which one computer has as many addresses as it likes.
func network(remote string) netip.Prefix {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // all that are strange share one account
	}
	ip := address.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}
