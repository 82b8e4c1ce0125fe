package heap

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Collections that come one after the other let the heap grow, until there are none for a while.
func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var set []int
		trimmed := 0
		k := &keeper{
			set:  func(percent int) { mu.Lock(); set = append(set, percent); mu.Unlock() },
			trim: func() { mu.Lock(); trimmed++; mu.Unlock() },
		}
		check := func(what string, trims int, want ...int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(set, want) || trimmed != trims {
				t.Fatalf("%s: set to %v, trimmed %d times; want %v, %d", what, set, trimmed, want, trims)
			}
		}
		for range 3 {
			k.collected(time.Now())
			time.Sleep(often)
		}
		check("now and then", 0)
		for range 20 {
			k.collected(time.Now())
			time.Sleep(often / 10)
		}
		check("often", 0, working)
		for range 3 {
			k.collected(time.Now())
			time.Sleep(calm * 3 / 4)
		}
		check("less often, with the larger heap", 0, working)
		time.Sleep(calm)
		check("not any more", 1, working, resting)
		k.collected(time.Now())
		time.Sleep(often)
		check("trimming collects", 1, working, resting)
	})
}

// Each collection of the runtime's is noted.
func TestWatch(t *testing.T) {
	var sets atomic.Int32
	rested := make(chan bool, 1)
	k := &keeper{set: func(int) { sets.Add(1) }, trim: func() { rested <- true }}
	k.watch()
	for sets.Load() == 0 {
		runtime.GC()
	}
	<-rested
	if n := sets.Load(); n != 2 {
		t.Errorf("the heap was set %d times, want to work and to rest", n)
	}
}
