package serve

import (
	"fmt"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	now := time.Now()
	r := newRate()
	r.now = func() time.Time { return now }
	count := func(remote string, n int) (allowed int) {
		for range n {
			if r.allow(remote) {
				allowed++
			}
		}
		return allowed
	}
	if got := count("192.0.2.1:1234", 3*burst); got < burst || got > burst+1 {
		t.Errorf("%d at once, want %d", got, burst)
	}
	if got := count("192.0.2.2:1234", 100); got != 100 {
		t.Errorf("another address: %d of 100", got)
	}
	if got := count("[::ffff:192.0.2.1]:99", 10); got != 0 {
		t.Errorf("the same address in IPv6's clothes: %d", got)
	}
	now = now.Add(time.Second)
	if got := count("192.0.2.1:1235", 3*burst); got != perSecond {
		t.Errorf("%d a second later, want %d", got, perSecond)
	}
	if count("[2001:db8::1]:1", 2*burst); r.allow("[2001:db8::2]:1") || !r.allow("[2001:db8:0:1::1]:1") {
		t.Error("IPv6 is not counted by networks")
	}
}

func TestRateIsBounded(t *testing.T) {
	r := newRate()
	for n := range 3 * maxAddresses {
		r.allow(fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255))
		if len(r.paid) > maxAddresses {
			t.Fatalf("%d addresses", len(r.paid))
		}
	}
	r.allow("strange")
}
