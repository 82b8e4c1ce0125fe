package serve

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"
)

// memory is what heap and stacks take.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Connections that have sent half of the longest request take no more than the constant tells.
func TestAttackConnMemory(t *testing.T) {
	const n = 1000
	s := start(t, school, MaxConns)
	before := memory()
	for i := range n {
		conn := dial(t, i, s.http)
		io.WriteString(conn, request[:len(request)-2]+fmt.Sprintf("X: %0*d", maxHeader/2, 0))
	}
	var grown int64
	for end := time.Now().Add(slow / 2); time.Now().Before(end); time.Sleep(slow / 50) {
		grown = max(grown, memory()-before)
	}
	t.Logf("%d bytes each", grown/n)
	if grown > n*connMemory {
		t.Errorf("%d connections take %d bytes", n, grown)
	}
}

func TestAttackRateMemory(t *testing.T) {
	before := memory()
	r := newRate()
	for n := range maxAddresses {
		r.allow(fmt.Sprintf("[2001:db8:%x:%x::1]:1", n>>16, n&0xffff))
	}
	grown := memory() - before
	runtime.KeepAlive(r)
	if grown > maxAddresses*rateMemory {
		t.Errorf("%d addresses take %d bytes", maxAddresses, grown)
	}
}
