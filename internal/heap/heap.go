package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// resting and working are by how much the heap grows between two collections, in percent.
	resting, working = 40, 200

	// often is how soon a collection comes after the one before where a program works.
	often = 250 * time.Millisecond

	// calm is how long without one a program rests.
	calm = time.Second

	// memoryLimit is from how many bytes on a program collects sooner than by the percentages above. Beside all that a session
	// may carry at a time a client with 512 MiB has little more.
	memoryLimit = 160 << 20
)

// Tend looks after the program's heap from now on, unless the user does by GOGC. A program calls it once, at
// its start.
func Tend() {
	if os.Getenv("GOGC") != "" {
		return
	}
	k := &keeper{set: func(percent int) { debug.SetGCPercent(percent) }, trim: debug.FreeOSMemory}
	k.set(resting)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	k.watch()
}

// keeper knows whether the program works.
type keeper struct {
	set  func(percent int)
	trim func() // gives back what is free

	mu    sync.Mutex
	last  time.Time   // of the last collection
	timer *time.Timer // runs while the program works
}

// watch has each collection noted.
func (k *keeper) watch() {
	OnCollection(func() bool {
		k.collected(time.Now())
		return true
	})
}

// OnCollection has f called after each collection, as long as it returns true. Its caller is a goroutine of the
// runtime's, which it must not block.
func OnCollection(f func() bool) {
	sentinel := &[]func() bool{f} // with a pointer, so that it lies in no block with others
	runtime.AddCleanup(sentinel, func(f func() bool) {
		if f() {
			OnCollection(f)
		}
	}, f)
}

// Live returns how much the last collection found in use, in bytes.
func Live() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64()
}

// collected notes a collection.
func (k *keeper) collected(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := now.Sub(k.last)
	k.last = now
	switch {
	case k.timer != nil:
		k.timer.Reset(calm)
	case since < often:
		k.timer = time.AfterFunc(calm, k.rest)
		k.set(working)
	}
}

// rest is called when there has been no collection for a while.
func (k *keeper) rest() {
	k.mu.Lock()
	k.timer = nil
	k.set(resting)
	k.mu.Unlock()
	k.trim() // which collects
}
