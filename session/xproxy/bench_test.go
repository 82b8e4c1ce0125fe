package xproxy

import (
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// BenchmarkRoundTrip compares what a round trip costs: to the X server itself, through the
// pair, and of a request that the far half answers.
func BenchmarkRoundTrip(b *testing.B) {
	server := xtest.Start(b)
	pair := startPair(b, server, false)
	for _, bench := range []struct {
		name, path string
		major      byte
	}{
		{"alone", server.Path(), getInputFocus},
		{"passed", pair, getInputFocus},
		{"answered", pair, x11.ListExtensions},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := dial(b, bench.path, server.Cookie, x11.LittleEndian)
			n := 0
			for b.Loop() {
				major := bench.major
				if n++; n%10_000 == 0 {
					major = getInputFocus // before sequence numbers are too far apart
				}
				c.send(x11.AppendRequest(nil, c.order, major, 0))
				c.until(n)
			}
		})
	}
}
